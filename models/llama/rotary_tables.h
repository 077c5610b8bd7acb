/// \file The angles of rotary position embeddings (Su et al. 2021), as Hugging Face computes them.
#pragma once

#include "models/llama/config.h"

#include <vector>

namespace autotp {

/// [length, headSize] each; the second half of a row repeats the first.
struct RotaryTables {
  std::vector<float> cos, sin;
};
RotaryTables rotaryTables(const LlamaConfig &config, int64_t length);

} // namespace autotp

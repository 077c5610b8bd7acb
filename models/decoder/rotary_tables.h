/// \file The cosines and sines of rotary position embeddings (Su et al. 2021), as Hugging Face computes them.
#pragma once

#include "models/decoder/decoder_config.h"

#include <vector>

namespace autotp {

/// [length, angles.features()] each; the second half of a row repeats the first.
struct RotaryTables {
  std::vector<float> cos, sin;
};
RotaryTables rotaryTables(const RotaryAngles &angles, int64_t length);

} // namespace autotp

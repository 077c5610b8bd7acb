/// \file The part of a Hugging Face config.json that decides what a Llama computes.
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>

namespace autotp {

/// rope_scaling of type llama3: low frequencies are divided by `factor`, those between the two bounds by a blend.
struct Llama3Scaling {
  double factor, lowFrequencyFactor, highFrequencyFactor, originalLength;
};

struct LlamaConfig {
  int64_t hidden, layers, heads, kvHeads, headSize, ffn, vocab;
  double normEpsilon = 1e-6, ropeTheta = 10000;
  std::optional<Llama3Scaling> scaling;
  bool isTied = false; ///< lm_head is the transpose of the embedding
};

/// `text`: the contents of the file; `where` names it in messages. Absent keys have the values that Hugging Face gives
/// them. Errors: all missing, mistyped or unsupported keys at once, each by its name; sizes that do not divide each
/// other.
llvm::Expected<LlamaConfig> parseLlamaConfig(llvm::StringRef text, llvm::StringRef where);

} // namespace autotp

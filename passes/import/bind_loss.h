/// \file Makes the loss the only output: one of the model's outputs, or a cross-entropy over its logits.
/// Before:  outputs %loss, %logits                     After:  output "loss" = %loss as a scalar
/// Before:  output %logits [b, s, v], next-token        After:  input "labels" i64 [b, s];
///          "loss" = cross-entropy of logits[:, :-1] against labels[:, 1:], mean over labels that are not -100
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace autotp {

class Graph;

enum class LossMade : uint8_t {
  None,         ///< the model has its own loss
  CrossEntropy, ///< each row of the logits has its label
  NextToken,    ///< the label of a token is the next token, as Hugging Face shifts labels
};

struct LossOptions {
  std::string output; ///< the name of the loss; needed if several outputs are scalars
  LossMade made = LossMade::None;
  std::string logits; ///< the name of the logits, with `made`; needed if several outputs could be the logits
};

/// Errors: no output is a loss or logits, or several are and none is named.
llvm::Error bindLoss(Graph &graph, const LossOptions &options);

} // namespace autotp

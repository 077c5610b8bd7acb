/// \file Leaves one output, the loss, alone; or makes a loss over a model's logits.
/// Before:  outputs %loss, %logits                     After:  output "loss" = %loss as a scalar
/// Before:  output %logits [b, s, v], next-token        After:  input "labels" i64 [b, s];
///          "loss" = cross-entropy of logits[:, :-1] against labels[:, 1:], mean over labels that are not -100
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

enum class LossMade : uint8_t {
  None,         ///< the model brings it
  CrossEntropy, ///< each row of the logits has its label
  NextToken,    ///< the label of a place is the next place's, as Hugging Face shifts
};

struct LossOptions {
  std::string output; ///< the loss, where several outputs are scalars
  LossMade made = LossMade::None;
  std::string logits; ///< where several outputs could be; with `made`
};

llvm::Error bindLoss(Graph &graph, const LossOptions &options);

} // namespace autotp

/// \file Adds the backward of a forward graph, from each operator's own gradient rule (compiler/ops).
/// Before:  return loss=%loss
/// After:   return loss_sum=%l, count=%n, gradient of every parameter by its name
/// Where the loss is a recognised cross-entropy mean (loss_sum / count), its *sum* is differentiated and the count is
/// yielded beside it; optimizer_step divides by the count of the whole global batch. Any other loss is differentiated
/// as it is, with a count of 1: the mean over micro-batches. A parameter that the loss does not depend on
/// differentiably (a bias that only chooses experts) becomes a constant. Errors: an operator on the way without a
/// gradient; no parameter that has one.
#pragma once

#include "passes/train/objective.h"

namespace autotp {

/// `isScaled`: gradients are of the loss times a state, for f16.
llvm::Expected<Objective> differentiate(Graph &graph, bool isScaled = false);

} // namespace autotp

/// \file Adds the backward of a forward graph, by the gradient rule of each operator row (compiler/ops).
/// Before:  return loss=%loss
/// After:   return loss_sum=%l, count=%n, gradient of every parameter by its name
/// If the loss is a recognised cross-entropy mean (loss_sum / count), its *sum* is differentiated and the count is an
/// output too; optimizer_step divides by the count of the whole global batch. Any other loss is differentiated as it
/// is, with a count of 1, which makes it a mean over micro-batches. A parameter on which the loss does not depend
/// differentiably (a bias that only chooses experts) becomes a constant. Errors: an operator between a parameter and
/// the loss has no gradient; no parameter has a gradient.
#pragma once

#include "passes/train/objective.h"

namespace autotp {

class Graph;

/// `isScaled`: the gradients are those of the loss times a loss scale, which is a new state, for f16.
llvm::Expected<Objective> differentiate(Graph &graph, bool isScaled = false);

} // namespace autotp

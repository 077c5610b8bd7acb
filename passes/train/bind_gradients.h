/// \file Brings a graph that contains its own backward to the form that differentiate.h leaves.
/// Before:  return loss=%loss, gradient of every parameter (of the loss) by its name
/// After:   return loss_sum=%l, count=%n, gradient of every parameter (of the sum) by its name
/// If the loss is a recognised cross-entropy mean, loss_sum / count, the seed of its backward is seed / count. A
/// backward is linear in its seed, so leaving out this one division makes all gradients those of the sum. Any other
/// loss is a mean over micro-batches. A parameter without a gradient becomes a constant.
#pragma once

#include "passes/train/differentiate.h"

namespace autotp {

class Graph;

/// Errors: a parameter without a gradient has no contents; no parameter has a gradient.
llvm::Expected<Objective> bindGradients(Graph &graph);

} // namespace autotp

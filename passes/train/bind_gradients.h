/// \file What differentiate.h leaves, of a graph that brings its own backward.
/// Before:  return loss=%loss, gradient of every parameter (of the loss) by its name
/// After:   return loss_sum=%l, count=%n, gradient of every parameter (of the sum) by its name
/// Where the loss is a recognised cross-entropy mean, loss_sum / count, its gradients are seed / count times those of the
/// sum: that division is left out, and all else stays as it is, since a backward is linear in its seed. Any other loss
/// is the mean over micro-batches. A parameter without a gradient becomes a constant.
#pragma once

#include "passes/train/differentiate.h"

namespace autotp {

llvm::Expected<Objective> bindGradients(Graph &graph);

} // namespace autotp

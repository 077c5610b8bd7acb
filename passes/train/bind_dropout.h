/// \file Gives every dropout the key of its mask. A mask is a function of the place of each element in the global
/// batch, so it is the same for any tp, dp, micro-batch and gradient accumulation.
/// Before:  y = dropout(x) {ratio}
/// After:   y = dropout(x, random_counter, positions..) {ordinal, per_sample, ratio}
/// random_counter is a state of 3 integers that the runtime writes before each micro-step: the seed, the step, and the
/// row of the global batch at which this rank's micro-batch begins. Positions are constants, one for each dimension, of
/// [row, index] for each place along it: what it adds to the row of the sample and to the index within the sample.
/// Partition takes the local part of positions like that of any constant.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

namespace autotp {

constexpr llvm::StringLiteral kRandomCounter = "random_counter";

/// Errors: a dropout over a dimension that joins samples with something else. `withoutBatch`: the inputs that have no
/// batch (ImportedModel).
llvm::Error bindDropout(Graph &graph, const llvm::StringSet<> &withoutBatch);

} // namespace autotp

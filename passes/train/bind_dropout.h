/// \file Gives every dropout its key: masks are functions of where an element lies in the global batch, so that they are
/// the same for any tp, dp, micro-batch and accumulation.
/// Before:  y = dropout(x) {ratio}
/// After:   y = dropout(x, random_counter, positions..) {ordinal, per_sample, ratio}
/// random_counter is a state of 3 integers that the runtime writes before each micro-step: seed, step, and the first row of
/// the global batch here. Positions are constants, one for each dimension: what an index adds to the row (along the axis of
/// samples) and to the index within the sample; partition takes its part of them as of any constant.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

namespace autotp {

constexpr llvm::StringLiteral kRandomCounter = "random_counter";

/// Errors: a dropout over a dimension that joins samples with something else. `withoutBatch`: see ImportedModel.
llvm::Error bindDropout(Graph &graph, const llvm::StringSet<> &withoutBatch);

} // namespace autotp

/// \file The reference evaluator: plain loops in double, each result rounded to its own dtype. For folding, gradient
/// checks and equivalence tests; never for training.
#pragma once

#include "compiler/ops/op_def.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

/// The value of one node from the values of its operands.
llvm::SmallVector<Array, 2> evaluateNode(const Graph &graph, NodeId node, llvm::ArrayRef<const Array *> operands);

/// All values of a graph. `sources` holds the inputs, parameters and states; constants bring their own contents.
/// Errors: a source without contents, or an operator that one rank alone cannot evaluate.
llvm::Expected<std::vector<Array>> evaluateGraph(const Graph &graph, const llvm::DenseMap<ValueId, Array> &sources);

} // namespace autotp

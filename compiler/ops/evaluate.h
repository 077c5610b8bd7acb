/// \file The reference evaluator: plain loops in double, each result rounded to its own dtype. For folding, gradient
/// checks and equivalence tests; never for training.
#pragma once

#include "compiler/ops/op_def.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

using Sources = llvm::DenseMap<ValueId, Array>; ///< contents of inputs, parameters and states; looked up only

/// The value of one node from the values of its operands.
llvm::SmallVector<Array, 2> evaluateNode(const Graph &graph, NodeId node, llvm::ArrayRef<const Array *> operands);

/// All values of a graph. `sources` holds the inputs, parameters and states; constants bring their own contents.
/// Errors: a source without contents, or an operator that one rank alone cannot evaluate.
llvm::Expected<std::vector<Array>> evaluateGraph(const Graph &graph, const Sources &sources);

/// All values of the local graphs of the tp coordinates 0, 1, ..: each runs up to its next collective, and a collective
/// runs once all members of its group have come to it. Values are by coordinate and ValueId.
/// Errors: those of above; coordinates that wait for each other in different collectives; a collective over dp.
llvm::Expected<std::vector<std::vector<Array>>> evaluateRanks(llvm::ArrayRef<const Graph *> graphs,
                                                              llvm::ArrayRef<Sources> sources);

} // namespace autotp

/// \file The reference evaluator: plain loops in double, with each result rounded to its dtype. It serves constant
/// folding, gradient checks and equivalence tests, never training.
#pragma once

#include "compiler/ops/op_def.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

using Sources = llvm::DenseMap<ValueId, Array>; ///< contents of inputs, parameters and states; only looked up

/// The results of one node from the contents of its operands.
llvm::SmallVector<Array, 2> evaluateNode(const Graph &graph, NodeId node, llvm::ArrayRef<const Array *> operands);

/// The same for constant folding: from tensors to tensors, within the graph's budget. Errors name the node: the budget
/// does not suffice.
llvm::Expected<llvm::SmallVector<Tensor, 2>> foldNode(const Graph &graph, NodeId node, llvm::ArrayRef<Tensor> operands);

/// All values of a graph, by ValueId. `sources` holds inputs, parameters and states; constants have their own contents.
/// Errors: a source without contents, or an operator that cannot be evaluated on one rank alone.
llvm::Expected<std::vector<Array>> evaluateGraph(const Graph &graph, const Sources &sources);

/// All values of the local graphs of tp ranks 0, 1, .., by tp rank and ValueId. Each graph runs up to its next
/// collective, and a collective runs once all members of its group have reached it. Errors: as above; ranks that wait
/// for each other in different collectives; a collective over dp.
llvm::Expected<std::vector<std::vector<Array>>> evaluateRanks(llvm::ArrayRef<const Graph *> graphs,
                                                              llvm::ArrayRef<Sources> sources);

} // namespace autotp

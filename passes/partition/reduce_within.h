/// \file Writes operators that run over the whole of a sharded index as nodes of a local graph: each rank reduces its
/// own part, and all-reduces within the operator join the parts.
/// Before:  %p = softmax(%x)                      of rows that are sharded over ranks 0 and 1
/// After:   %m = all_reduce(reduce_max(%x)) max;  %e = exp(%x - %m);  %p = %e / all_reduce(reduce_sum(%e)) sum
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

using Group = llvm::SmallVector<int64_t, 6>;              ///< tp ranks
using CountedOnce = llvm::function_ref<ValueId(ValueId)>; ///< sets elements to 0 that an earlier rank holds too

/// Writes `node` on local operands by the formula of its operator row. The ranks of `group` hold the same rows, and
/// together all elements of each row.
ValueId writeFormula(Builder &b, const Node &node, llvm::ArrayRef<ValueId> operands, const Group &group,
                     CountedOnce countedOnce);

/// Writes the cross_entropy of logits [rows, this rank's part of `classes`] and labels [rows]. A maximum is reduced
/// first, then the sum and the logit of the target together, so 3 values for each row are sent (Shoeybi et al. 2019,
/// section 3). `attributes` are those of the node, and its class_offset. Returns the node's results.
llvm::SmallVector<ValueId, 3> writeCrossEntropy(Builder &b, llvm::ArrayRef<ValueId> operands,
                                                const Attributes &attributes, int64_t classes, const Group &group,
                                                CountedOnce countedOnce);

} // namespace autotp

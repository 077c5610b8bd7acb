/// \file Operators that run over all of an index which is sharded, as nodes of a local graph: what each rank has of the
/// index, joined by collectives within.
/// Before:  %p = softmax(%x)                      of rows that are sharded over ranks 0 and 1
/// After:   %m = all_reduce(reduce_max(%x)) max;  %e = exp(%x - %m);  %p = %e / all_reduce(reduce_sum(%e)) sum
#pragma once

#include "compiler/ops/op_def.h"

namespace autotp {

using Group = llvm::SmallVector<int64_t, 6>;              ///< coordinates of tp
using CountedOnce = llvm::function_ref<ValueId(ValueId)>; ///< zeros in the place of what an earlier rank holds too

/// `node` on local operands, by its operator's formula. `group` holds the same rows, and together all of each.
ValueId writeFormula(Builder &b, const Node &node, llvm::ArrayRef<ValueId> operands, const Group &group,
                     CountedOnce countedOnce);

/// cross_entropy of logits [rows, some of `classes`] and labels: the maximum, then the sum and the target's logit
/// together: 3 values a row travel (Shoeybi et al. 2019, section 3). `attributes`: of the node, and its class_offset.
llvm::SmallVector<ValueId, 3> writeCrossEntropy(Builder &b, llvm::ArrayRef<ValueId> operands,
                                                const Attributes &attributes, int64_t classes, const Group &group,
                                                CountedOnce countedOnce);

} // namespace autotp

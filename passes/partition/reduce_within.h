/// \file Writes operators that run over the whole of a sharded index as nodes of a local graph: each rank reduces its
/// own part, and all-reduces within the operator join the parts.
/// Before:  %p = softmax(%x)                      of rows that are sharded over ranks 0 and 1
/// After:   %m = all_reduce(reduce_max(%x)) max;  %e = exp(%x - %m);  %p = %e / all_reduce(reduce_sum(%e)) sum
#pragma once

#include "compiler/ops/collectives.h"

namespace autotp {

using CountedOnce = llvm::function_ref<ValueId(ValueId)>; ///< sets elements to 0 that an earlier rank holds too

/// Writes a node of the operator `row` on local operands by the row's formula; returns the node's results. The ranks of
/// `group` hold the same rows, and together all elements of each row.
llvm::SmallVector<ValueId, 3> writeFormula(Builder &b, const OpDef &row, llvm::ArrayRef<ValueId> operands,
                                           const Attributes &attributes, const RankGroup &group,
                                           CountedOnce countedOnce);

} // namespace autotp

/// \file What members of a group have together, once it is reduced.
#pragma once

#include "compiler/certify/moves/joins.h"
#include "compiler/certify/state/tp_rank.h"

namespace autotp {

using Contents = llvm::SmallVector<const Content *, 8>; ///< one for each member

/// Returns what an all-reduce of these contents leaves on every member. Fails if it reduces what may not be reduced, or not
/// all of it.
llvm::Expected<const Content *> reduced(Proof &proof, llvm::ArrayRef<const Content *> contents, Partial kind);
/// Returns it of sums of squares, which are reduced over all dp ranks too if `overDp`.
llvm::Expected<const Content *> reducedSquares(Proof &proof, llvm::ArrayRef<const Content *> contents, bool overDp);

/// Says whether a group is 0, 1, .., n - 1.
bool isAll(const plan::Group &group, int64_t n);

} // namespace autotp

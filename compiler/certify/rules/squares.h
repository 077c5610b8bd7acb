/// \file Whether sums of squares that are added together count every element of every gradient once.
#pragma once

#include "compiler/certify/contents/contents.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct Proof;

/// Fails unless they do; names the gradient. There is one member for each tp rank, and they are added over all dp ranks too
/// if `overDp`.
llvm::Error checkEachCountsOnce(Proof &proof, llvm::ArrayRef<const Content *> members, bool overDp);

} // namespace autotp

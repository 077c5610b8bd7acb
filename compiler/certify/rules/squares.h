/// \file Whether sums of squares that are added together count every element of every gradient once.
#pragma once

#include "compiler/certify/contents/contents.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct Proof;

/// `members`: one for each tp rank. `overDp`: they are added over all dp ranks too. Errors name the gradient.
llvm::Error checkEachCountsOnce(Proof &proof, llvm::ArrayRef<const Content *> members, bool overDp);

} // namespace autotp

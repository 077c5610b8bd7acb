/// \file Whether sums of squares that are added together count every element of every gradient once.
#pragma once

#include "compiler/certify/proof.h"

namespace autotp {

/// `members`: one a coordinate; each holds Squares. `overDp`: they are added over all dp ranks too.
bool countEachOnce(Proof &proof, llvm::ArrayRef<const Content *> members, bool overDp, std::string &why);

} // namespace autotp

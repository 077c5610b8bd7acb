/// \file Collectives: what their members hold before and after.
#pragma once

#include "compiler/certify/walk/coordinate.h"

namespace autotp {

/// A member of a group over tp or the world, at its collective.
struct Member {
  Coordinate *coordinate;
  const plan::Step *step;
};

/// Members in group order; of the world one a tp coordinate, which stands for all its dp ranks.
llvm::Error executeCollective(Proof &proof, llvm::ArrayRef<Member> members, const plan::Group &group);

} // namespace autotp

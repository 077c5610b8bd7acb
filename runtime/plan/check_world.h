/// \file Whether the programs of all ranks meet in their collectives.
#pragma once

#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// `byTp`: the program of each tp coordinate, the same on all dp ranks. Runs all coordinates in lock-step: a collective
/// over tp or the world needs all its members in one of the same kind, dtype, counts and sequence number.
/// Errors name the collective that waits for ever, or that differs between its members.
llvm::Error checkWorld(llvm::ArrayRef<const plan::Program *> byTp);

} // namespace autotp

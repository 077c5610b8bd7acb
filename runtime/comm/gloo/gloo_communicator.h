/// \file Ranks that are processes, on hosts that a network joins, without MPI.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/launch.h"
#include "runtime/comm/launch/rank_facts.h"

#include <chrono>

namespace autotp {

/// Whether this build has gloo.
bool hasGloo();

/// Makes this process one rank of the world that its launcher has started, for the cpu device. Ranks meet as meet.h says it,
/// and listen at the address from which they reach the meeting point. Gloo moves bytes, and the device combines them in
/// group order, so results have the bits of ranks that are threads. `awaited`: how long a rank waits for others in one
/// operation; 0: for ever. Errors: those of meeting; ranks whose facts differ from those of rank 0; a network that does
/// not reach all ranks; the build has no gloo.
llvm::Expected<std::unique_ptr<Communicator>> joinOverGloo(const Launch &launch, Variable variable,
                                                           const RankFacts &facts, std::chrono::milliseconds awaited);

} // namespace autotp

/// \file Ranks that are processes of one host, and share memory.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/launch.h"
#include "runtime/comm/launch/rank_facts.h"
#include "runtime/comm/shm/rank_watch.h"

namespace autotp {

/// Makes this process one rank of the world that its launcher has started, for the cpu device. The ranks meet as meet.h
/// says it, and from then on need the shared memory only. A rank that ends or is stopped ends all others. Errors: those
/// of meeting; ranks on several hosts, which are named; ranks whose facts differ from those of rank 0.
llvm::Expected<std::unique_ptr<Communicator>> joinOverSharedMemory(const Launch &launch, Variable variable,
                                                                   const RankFacts &facts, const WatchLimits &limits);

} // namespace autotp

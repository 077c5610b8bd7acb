/// \file Ranks that each own a GPU, over NCCL.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/id_exchange.h"

namespace autotp {

// A group enqueues its operations on the communication queue of its device, which must be the current device of the
// calling thread. NCCL combines elements in an order of its own, which is the same on every run with as many ranks on
// the same hosts.
//
// When a rank fails, every rank's collectives and barriers return false within 5 s, and operations for which GPUs wait
// are ended. A replayed graph does not report that, so call hasFailed() before a replay, and before the results of a
// step are used.
//
// Destroy in this order: graphs that hold a group's operations, groups, devices, the communicator. NCCL waits for such
// graphs when a group is destroyed.

/// Whether this build has NCCL.
bool hasNccl();

/// For ranks that are threads of this process; rank r gets GPU r. Errors: the build has no NCCL; there are fewer GPUs
/// than ranks.
llvm::Expected<std::vector<std::unique_ptr<Communicator>>> makeNcclCommunicators(int size);

/// Makes this process one rank. It is one of `ranksOnHost` ranks on its host, each with GPU `rankOnHost` or with the
/// only GPU that it sees. `exchange` must reach all ranks, and hold nothing of an earlier run. Errors: the build has no
/// NCCL; the host has fewer GPUs than ranks.
llvm::Expected<std::unique_ptr<Communicator>> makeNcclCommunicator(int rank, int size, int rankOnHost, int ranksOnHost,
                                                                   std::unique_ptr<IdExchange> exchange);

} // namespace autotp

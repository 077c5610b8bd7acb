/// \file Ranks that each own a GPU, over NCCL.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/id_exchange.h"

namespace autotp {

// What is enqueued by a group is enqueued on its device's communication queue; the order in which NCCL combines
// elements is its own, and the same on every run with as many ranks on the same hosts. A group's device is the calling
// thread's current one.
//
// When a rank fails, every rank's collectives and barriers give false within 5 s, and what their GPUs wait in is ended:
// a replayed graph says nothing of that, so hasFailed() is asked before a replay, and before the results of a step are
// used.
//
// To be destroyed in this order: graphs that hold a group's operations, groups, devices, the communicator. NCCL waits
// for such graphs when a group is destroyed.

/// Errors: a build without NCCL.
llvm::Error checkNccl();

/// Ranks as threads of this process, rank r with GPU r. Errors: a build without NCCL, fewer GPUs than ranks.
llvm::Expected<std::vector<std::unique_ptr<Communicator>>> makeNcclCommunicators(int size);

/// This process as one rank; it is one of `ranksOnHost` on its host, each with GPU `rankOnHost` or with the only GPU
/// that it sees. `exchange` reaches all ranks, and holds nothing of an earlier run. Errors: a build without NCCL, a
/// host with fewer GPUs than ranks.
llvm::Expected<std::unique_ptr<Communicator>> makeNcclCommunicator(int rank, int size, int rankOnHost, int ranksOnHost,
                                                                   std::unique_ptr<IdExchange> exchange);

} // namespace autotp

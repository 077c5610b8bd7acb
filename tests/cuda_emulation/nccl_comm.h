/// \file One rank's end of an emulated NCCL communicator.
#pragma once

#include "tests/cuda_emulation/clique.h"
#include "tests/cuda_emulation/state.h"

struct ncclComm {
  std::shared_ptr<emulation::Clique> clique;
  int rank;
  int device;
};

namespace emulation {

/// A call that waits for other ranks: at once, or at the end of the group that it stands in.
struct PartialCall {
  std::function<bool()> isReady;
  std::function<ncclResult_t()> finish;
};

/// What a thread has called since its outermost ncclGroupStart.
struct GroupCalls {
  struct Issued {
    ncclComm_t comm;
    cudaStream_t stream;
    std::vector<Request> requests;
  };
  int depth = 0;
  std::vector<PartialCall> pending;
  std::vector<Issued> issued; // one for each communicator and stream
  ncclResult_t error = ncclSuccess;
};
GroupCalls &groupCalls();

ncclResult_t resultOf(cudaError_t error);
/// Waits now or at the group's end.
ncclResult_t await(State &state, Lock &lock, PartialCall call);
ncclResult_t awaitAll(State &state, Lock &lock, std::vector<PartialCall> calls);

/// `body(state, lock)` under the lock, where the machine is in order.
template <typename F> ncclResult_t ncclCall(F body) {
  ncclResult_t result = ncclSuccess;
  cudaError_t error = call([&](State &state, Lock &lock) {
    result = body(state, lock);
    return cudaSuccess;
  });
  return error == cudaSuccess ? result : resultOf(error);
}

} // namespace emulation

/// \file The collectives of a group, as NCCL's calls.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/nccl/failure_watch.h"

#include <cuda_runtime_api.h>

namespace autotp::nccl {

/// NCCL's and CUDA's descriptions of a result, in one line.
std::string textOf(ncclResult_t result);

class NcclGroup : public Group {
public:
  NcclGroup(std::shared_ptr<FailureWatch> watch, std::shared_ptr<Comm> comm, cudaStream_t stream, size_t members,
            size_t member)
      : watch_(std::move(watch)), comm_(std::move(comm)), stream_(stream), members_(members), me_(member) {}
  ~NcclGroup() override;

  size_t size() const override { return members_; }
  bool isCapturable() const override { return true; }
  bool allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) override;
  bool reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;
  bool allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) override;

private:
  template <typename Calls> bool enqueue(Calls calls);
  /// Calls `call(member, first element)` for each member that has elements, as one operation of NCCL.
  template <typename Call> bool enqueueForEach(std::span<const int64_t> counts, Call call);

  std::shared_ptr<FailureWatch> watch_;
  std::shared_ptr<Comm> comm_;
  cudaStream_t stream_; // that of the device
  size_t members_, me_;
};

} // namespace autotp::nccl

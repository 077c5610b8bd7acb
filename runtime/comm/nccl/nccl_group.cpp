#include "runtime/comm/nccl/nccl_group.h"

#include "runtime/base/error.h"

#include <algorithm>

namespace autotp::nccl {
namespace {

ncclDataType_t ncclType(DType dtype) {
  switch (dtype) {
  case DType::F32:
    return ncclFloat32;
  case DType::F64:
    return ncclFloat64;
  case DType::BF16:
    return ncclBfloat16;
  case DType::F16:
    return ncclFloat16;
  case DType::I64:
    return ncclInt64;
  case DType::I32:
    return ncclInt32;
  case DType::Bool:
  case DType::U8:
    return ncclUint8;
  }
  return ncclUint8;
}

const char *byteAt(const void *base, int64_t element, DType dtype) {
  return static_cast<const char *>(base) + size_t(element) * sizeOf(dtype);
}
char *byteAt(void *base, int64_t element, DType dtype) {
  return static_cast<char *>(base) + size_t(element) * sizeOf(dtype);
}

bool areEqual(std::span<const int64_t> counts) {
  return std::all_of(counts.begin(), counts.end(), [&](int64_t count) { return count == counts[0]; });
}

/// A non-blocking communicator may return "in progress", as when it connects ranks on first use. Nothing else may be
/// called until that is over.
ncclResult_t settled(ncclResult_t result, ncclComm_t comm, const FailureWatch &watch) {
  while (result == ncclInProgress) {
    if (watch.hasFailed()) return ncclRemoteError;
    std::this_thread::yield();
    if (ncclResult_t asked = ncclCommGetAsyncError(comm, &result); asked != ncclSuccess) return asked;
  }
  return result;
}

} // namespace

std::string textOf(ncclResult_t result) {
  std::string text = ncclGetErrorString(result);
  const char *more = ncclGetLastError(nullptr);
  llvm::StringRef detail = more ? llvm::StringRef(more).trim() : "";
  return detail.empty() ? text : text + " (" + escaped(detail) + ")";
}

NcclGroup::~NcclGroup() {
  watch_->remove(comm_);
  comm_->close(watch_->hasFailed());
}

template <typename Calls> bool NcclGroup::enqueue(Calls calls) {
  if (watch_->hasFailed() || !comm_->enter()) return false;
  ncclResult_t result = settled(calls(comm_->handle()), comm_->handle(), *watch_);
  comm_->leave();
  if (result == ncclSuccess) [[likely]]
    return !watch_->hasFailed();
  watch_->fail("NCCL refuses an operation: " + textOf(result)); // an earlier failure is kept
  return false;
}

template <typename Call> bool NcclGroup::enqueueForEach(std::span<const int64_t> counts, Call call) {
  return enqueue([&](ncclComm_t comm) {
    ncclResult_t first = ncclGroupStart();
    if (first != ncclSuccess) return first;
    int64_t begin = 0;
    for (size_t m = 0; m < counts.size(); begin += counts[m++]) {
      if (counts[m] == 0 || (first != ncclSuccess && first != ncclInProgress)) continue;
      first = call(comm, m, begin);
    }
    ncclResult_t ended = ncclGroupEnd(); // also after an error, since the thread's group would stay open
    return first == ncclSuccess || first == ncclInProgress ? ended : first;
  });
}

bool NcclGroup::allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) {
  if (elements == 0) return !watch_->hasFailed();
  return enqueue([&](ncclComm_t comm) {
    return ncclAllReduce(in, out, size_t(elements), ncclType(dtype), reduce == Reduce::Sum ? ncclSum : ncclMax, comm,
                         stream_);
  });
}

bool NcclGroup::reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  if (areEqual(counts)) {
    if (counts[0] == 0) return !watch_->hasFailed();
    return enqueue([&](ncclComm_t comm) {
      return ncclReduceScatter(in, out, size_t(counts[0]), ncclType(dtype), ncclSum, comm, stream_);
    });
  }
  return enqueueForEach(counts, [&](ncclComm_t comm, size_t m, int64_t begin) {
    void *to = m == me_ ? out : nullptr; // only the root writes its result
    return ncclReduce(byteAt(in, begin, dtype), to, size_t(counts[m]), ncclType(dtype), ncclSum, int(m), comm, stream_);
  });
}

bool NcclGroup::allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  if (areEqual(counts)) {
    if (counts[0] == 0) return !watch_->hasFailed();
    return enqueue(
        [&](ncclComm_t comm) { return ncclAllGather(in, out, size_t(counts[0]), ncclType(dtype), comm, stream_); });
  }
  return enqueueForEach(counts, [&](ncclComm_t comm, size_t m, int64_t begin) {
    char *part = byteAt(out, begin, dtype);
    return ncclBroadcast(m == me_ ? in : part, part, size_t(counts[m]), ncclType(dtype), int(m), comm, stream_);
  });
}

} // namespace autotp::nccl

#include "runtime/comm/gloo/gloo_group.h"

#include <gloo/allgatherv.h>
#include <gloo/alltoallv.h>

#include <numeric>

namespace autotp {
namespace {

uint8_t *bytesOf(const void *data) { return const_cast<uint8_t *>(static_cast<const uint8_t *>(data)); }

template <typename Number> std::vector<Number> inBytes(std::span<const int64_t> counts, DType dtype) {
  std::vector<Number> bytes;
  for (int64_t count : counts)
    bytes.push_back(Number(count) * Number(sizeOf(dtype)));
  return bytes;
}

} // namespace

bool callGloo(std::string &failure, llvm::function_ref<void()> call) {
  try {
    call();
    return true;
  } catch (const std::exception &thrown) {
    if (failure.empty()) failure = thrown.what();
    return false;
  }
}

bool GlooGroup::allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) {
  const int64_t members = int64_t(size());
  for (int64_t m = 0; m < members; ++m)
    counts_[size_t(m)] = elements * (m + 1) / members - elements * m / members;
  uint8_t *own = bytesOf(out) + size_t(elements * int64_t(me_) / members) * sizeOf(dtype);
  return combineOwn(in, own, counts_, dtype, reduce) && allGather(own, out, counts_, dtype);
}

bool GlooGroup::reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  return combineOwn(in, out, counts, dtype, Reduce::Sum);
}

bool GlooGroup::combineOwn(const void *in, void *own, std::span<const int64_t> counts, DType dtype, Reduce reduce) {
  const size_t part = size_t(counts[me_]) * sizeOf(dtype);
  received_.resize(std::max(received_.size(), part * size()));
  const std::vector<int64_t> parts(size(), int64_t(part));
  const bool isDone = callGloo(failure_, [&] {
    gloo::AlltoallvOptions options(context_);
    options.setInput(bytesOf(in), inBytes<int64_t>(counts, dtype));
    options.setOutput(bytesOf(received_.data()), parts);
    gloo::alltoallv(options);
  });
  if (!isDone) return false;
  for (size_t m = 0; m < size(); ++m)
    ins_[m] = received_.data() + m * part;
  device_.combine({ins_, std::span<void *const>(&own, 1), 0, counts[me_], 0, dtype, reduce});
  return true;
}

bool GlooGroup::allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  const int64_t begin = std::accumulate(counts.begin(), counts.begin() + long(me_), int64_t(0));
  const bool isThere = bytesOf(in) == bytesOf(out) + size_t(begin) * sizeOf(dtype);
  return callGloo(failure_, [&] {
    gloo::AllgathervOptions options(context_);
    if (!isThere) options.setInput(bytesOf(in), size_t(counts[me_]) * sizeOf(dtype));
    options.setOutput(bytesOf(out), inBytes<size_t>(counts, dtype));
    gloo::allgatherv(options);
  });
}

} // namespace autotp

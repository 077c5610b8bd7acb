#include "runtime/comm/shm/staged_group.h"

#include <algorithm>
#include <cstring>

namespace autotp {
namespace {

void copyBytes(void *to, const void *from, size_t bytes) {
  if (bytes > 0 && to != from) std::memcpy(to, from, bytes);
}

} // namespace

bool StagedGroup::allReduce(const void *in, void *out, int64_t elements, DType dtype, Reduce reduce) {
  const size_t size = sizeOf(dtype);
  const int64_t most = int64_t(stage_.size() / size);
  for (int64_t at = 0; at < elements; at += most) {
    const int64_t count = std::min(most, elements - at);
    const size_t begin = size_t(at) * size, bytes = size_t(count) * size;
    copyBytes(stage_.data(), static_cast<const std::byte *>(in) + begin, bytes);
    if (!inner_->allReduce(stage_.data(), stage_.data(), count, dtype, reduce)) return false;
    copyBytes(static_cast<std::byte *>(out) + begin, stage_.data(), bytes);
  }
  return true;
}

template <typename Body> bool StagedGroup::inTurns(std::span<const int64_t> counts, int64_t most, Body body) {
  const int64_t longest = *std::ranges::max_element(counts);
  for (int64_t at = 0; at < longest; at += most) {
    for (size_t m = 0; m < counts.size(); ++m)
      counts_[m] = std::clamp<int64_t>(counts[m] - at, 0, most);
    if (!body(size_t(at))) return false;
  }
  return true;
}

/// `out` may be this member's part of `in`: what is written there has been read before.
bool StagedGroup::reduceScatter(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  const size_t size = sizeOf(dtype);
  return inTurns(counts, int64_t(stage_.size() / size / counts.size()), [&](size_t at) {
    std::byte *to = stage_.data();
    const std::byte *from = static_cast<const std::byte *>(in) + at * size;
    for (size_t m = 0; m < counts.size(); from += size_t(counts[m++]) * size) {
      copyBytes(to, from, size_t(counts_[m]) * size);
      to += size_t(counts_[m]) * size;
    }
    return inner_->reduceScatter(stage_.data(), static_cast<std::byte *>(out) + at * size, counts_, dtype);
  });
}

bool StagedGroup::allGather(const void *in, void *out, std::span<const int64_t> counts, DType dtype) {
  const size_t size = sizeOf(dtype);
  return inTurns(counts, int64_t(stage_.size() / size), [&](size_t at) {
    copyBytes(stage_.data(), static_cast<const std::byte *>(in) + at * size, size_t(counts_[inner_->member()]) * size);
    std::byte *to = static_cast<std::byte *>(out) + at * size;
    for (size_t m = 0; m < counts.size(); to += size_t(counts[m++]) * size)
      parts_[m] = to;
    return inner_->gather(stage_.data(), parts_, counts_, dtype);
  });
}

} // namespace autotp

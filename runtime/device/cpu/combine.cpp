/// \file The sums of collectives over operands that lie in this process.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/storage.h"
#include "runtime/device/device.h"

#include <algorithm>
#include <cstring>

namespace autotp::cpu {

namespace {

template <typename T> T combined(T a, T b, Reduce reduce) { return reduce == Reduce::Sum ? a + b : std::max(a, b); }

/// Small floats are added in f32 and rounded once.
template <typename T> void combineHere(const Combination &c) {
  constexpr int64_t kBlock = 2048;
  alignas(64) Widened<T> sum[kBlock];
  alignas(64) T rounded[kBlock];
  for (int64_t at = c.begin; at < c.end; at += kBlock) {
    const int64_t n = std::min(kBlock, c.end - at);
    const T *first = static_cast<const T *>(c.ins[0]) + at;
    for (int64_t i = 0; i < n; ++i)
      sum[i] = widened(first[i]);
    for (size_t m = 1; m < c.ins.size(); ++m) {
      const T *next = static_cast<const T *>(c.ins[m]) + at;
      for (int64_t i = 0; i < n; ++i)
        sum[i] = combined(sum[i], widened(next[i]), c.reduce);
    }
    for (int64_t i = 0; i < n; ++i)
      rounded[i] = Narrowed<T>::from(sum[i]);
    for (void *out : c.outs)
      std::memcpy(static_cast<T *>(out) + at - c.shift, rounded, size_t(n) * sizeof(T));
  }
}

} // namespace

void combine(const Combination &c) {
  switch (c.dtype) {
  case DType::F64:
    return combineHere<double>(c);
  case DType::I64:
    return combineHere<int64_t>(c);
  case DType::I32:
    return combineHere<int32_t>(c);
  case DType::BF16:
    return combineHere<Bf16>(c);
  case DType::F16:
    return combineHere<Half>(c);
  case DType::F32:
    return combineHere<float>(c);
  case DType::Bool:
  case DType::U8:
    return combineHere<uint8_t>(c);
  }
}

} // namespace autotp::cpu

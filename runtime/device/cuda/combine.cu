/// \file One thread for each element (or 16 bytes of f32): reads it from every operand, in order, and writes it to
/// every result, so that all of them have the same bits.
#include "runtime/device/cuda/combine.h"

#include "runtime/device/cuda/storage.cuh"

#include <algorithm>

namespace autotp::cuda {

namespace {

struct Operands {
  const void *ins[kMostCombined];
  void *outs[kMostCombined];
  int inCount, outCount;
};

template <typename T> __device__ T combined(T a, T b, Reduce reduce) {
  return reduce == Reduce::Sum ? a + b : (b > a || b != b ? b : a);
}
__device__ inline float4 combined(float4 a, float4 b, Reduce reduce) {
  return make_float4(combined(a.x, b.x, reduce), combined(a.y, b.y, reduce), combined(a.z, b.z, reduce),
                     combined(a.w, b.w, reduce));
}

/// Elements [begin, begin + count) of T; results lie `shift` elements lower. Small floats are added in f32 and rounded
/// once.
template <typename T>
__global__ void combineElements(Operands o, int64_t begin, int64_t count, int64_t shift, Reduce reduce) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  auto total = widened(static_cast<const T *>(o.ins[0])[begin + i]);
  for (int m = 1; m < o.inCount; ++m)
    total = combined(total, widened(static_cast<const T *>(o.ins[m])[begin + i]), reduce);
  for (int m = 0; m < o.outCount; ++m)
    static_cast<T *>(o.outs[m])[begin + i - shift] = Narrowed<T>::from(total);
}

template <typename T> Status combineAs(const Operands &o, const Combination &c, int64_t width, cudaStream_t stream) {
  const int64_t count = (c.end - c.begin) / width;
  return launch(combineElements<T>, overItems(count), stream, o, c.begin / width, count, c.shift / width, c.reduce);
}

/// Whether all of it can be moved 16 bytes at a time.
bool isAligned(const Operands &o, const Combination &c) {
  auto fits = [](const void *address) { return reinterpret_cast<uintptr_t>(address) % 16 == 0; };
  return c.begin % 4 == 0 && c.end % 4 == 0 && c.shift % 4 == 0 && std::all_of(o.ins, o.ins + o.inCount, fits) &&
         std::all_of(o.outs, o.outs + o.outCount, fits);
}

} // namespace

Status combine(const Combination &c, cudaStream_t stream) {
  if (c.begin >= c.end) return Status::Ok;
  if (c.ins.size() == 1) {
    const size_t size = sizeOf(c.dtype);
    for (void *out : c.outs)
      if (cudaMemcpyAsync(static_cast<char *>(out) + size_t(c.begin - c.shift) * size,
                          static_cast<const char *>(c.ins[0]) + size_t(c.begin) * size, size_t(c.end - c.begin) * size,
                          cudaMemcpyDeviceToDevice, stream) != cudaSuccess)
        return Status::LibraryFailed;
    return Status::Ok;
  }
  if (c.ins.size() > kMostCombined || c.outs.size() > kMostCombined) return Status::LibraryFailed;
  Operands o{};
  o.inCount = int(c.ins.size());
  o.outCount = int(c.outs.size());
  std::copy(c.ins.begin(), c.ins.end(), o.ins);
  std::copy(c.outs.begin(), c.outs.end(), o.outs);
  switch (c.dtype) {
  case DType::F32:
    return isAligned(o, c) ? combineAs<float4>(o, c, 4, stream) : combineAs<float>(o, c, 1, stream);
  case DType::BF16:
    return combineAs<Bf16>(o, c, 1, stream);
  case DType::F16:
    return combineAs<Half>(o, c, 1, stream);
  case DType::F64:
    return combineAs<double>(o, c, 1, stream);
  case DType::I64:
    return combineAs<int64_t>(o, c, 1, stream);
  case DType::I32:
    return combineAs<int32_t>(o, c, 1, stream);
  default:
    return Status::LibraryFailed;
  }
}

} // namespace autotp::cuda

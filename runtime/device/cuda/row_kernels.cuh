/// \file Kernels that work row by row: how many threads a row has, and packs of its elements.
#pragma once

#include "runtime/device/cuda/groups.cuh"
#include "runtime/device/cuda/kernel_table.h"

#include <initializer_list>
#include <type_traits>

namespace autotp::cuda {

/// Threads of a block whose rows have Threads each. Its launch bound: else a block of 1024 might need more registers
/// than there are.
constexpr int blockThreads(int threads) { return threads == 32 ? 32 * kRowsPerBlock : threads; }

/// A block is (Threads, rows): threads of x share a row.
__device__ inline int64_t rowOfThread() { return int64_t(blockIdx.x) * blockDim.y + threadIdx.y; }

/// In f32, whatever the row is stored in.
template <int V, typename S> __device__ __forceinline__ Pack<float, V> packAt(const S *row, int64_t i) {
  return packAs<S, V>(row, i);
}
template <int V, typename S> __device__ __forceinline__ void setPack(S *row, int64_t i, const Pack<float, V> &pack) {
  setPackAs<S, V>(row, i, pack);
}

/// body(i) for every V-th element of a row of n that is this thread's; V divides n.
template <int Threads, int V, typename Body> __device__ __forceinline__ void forEachPack(int64_t n, Body body) {
  [[maybe_unused]] constexpr int kUnrolled = Threads == 1024 ? 2 : 4; // so many threads have few registers each
#pragma unroll kUnrolled
  for (int64_t i = int64_t(threadIdx.x) * V; i < n; i += int64_t(Threads) * V)
    body(i);
}

/// Whether rows of n floats at these addresses may be accessed four at a time.
inline bool fourFit(int64_t n, std::initializer_list<const void *> pointers) {
  bool fits = n % 4 == 0;
  for (const void *pointer : pointers)
    fits = fits && isAligned(pointer, 16);
  return fits;
}

/// start(threads a row, elements an access, both as constants, launch shape).
template <typename Start>
auto withRowShape(int64_t rows, int64_t n, std::initializer_list<const void *> pointers, Start start) {
  auto withThreads = [&](auto pack) {
    if (n <= 1024)
      return start(std::integral_constant<int, 32>(), pack,
                   LaunchShape{dim3(unsigned((rows + kRowsPerBlock - 1) / kRowsPerBlock)), dim3(32, kRowsPerBlock)});
    if (n <= 16384)
      return start(std::integral_constant<int, 256>(), pack, LaunchShape{dim3(unsigned(rows)), dim3(256)});
    return start(std::integral_constant<int, 1024>(), pack, LaunchShape{dim3(unsigned(rows)), dim3(1024)});
  };
  if (fourFit(n, pointers)) return withThreads(std::integral_constant<int, 4>());
  return withThreads(std::integral_constant<int, 1>());
}

} // namespace autotp::cuda

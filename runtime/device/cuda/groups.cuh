/// \file Joins over the threads of a warp or block in a fixed order: every thread gets the same bits, on every run.
#pragma once

#include "runtime/device/cuda/storage.cuh"

#include <cmath>
#include <cstdint>

namespace autotp::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;

struct Plus {
  template <typename T> __device__ T operator()(T a, T b) const { return a + b; }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

/// The largest x and the sum of exp(x - most) of what was seen: Milakov and Gimelshein 2018.
struct MaxSum {
  float most, total;
  __device__ void add(float x) {
    if (x > most) {
      total = total * expf(most - x) + 1.0f;
      most = x;
    } else if (x != -INFINITY) {
      total += expf(x - most); // also where x is NaN
    }
  }
};
struct JoinMaxSum {
  __device__ MaxSum operator()(MaxSum a, MaxSum b) const {
    const float most = fmaxf(a.most, b.most);
    if (most == -INFINITY) return {most, a.total + b.total};
    return {most, a.total * expf(a.most - most) + b.total * expf(b.most - most)};
  }
};

__device__ inline float fromLane(float v, int mask) { return __shfl_xor_sync(kAllLanes, v, mask); }
__device__ inline double fromLane(double v, int mask) { return __shfl_xor_sync(kAllLanes, v, mask); }
__device__ inline int fromLane(int v, int mask) { return __shfl_xor_sync(kAllLanes, v, mask); }
__device__ inline int64_t fromLane(int64_t v, int mask) {
  return int64_t(__shfl_xor_sync(kAllLanes, static_cast<long long>(v), mask));
}
__device__ inline MaxSum fromLane(MaxSum v, int mask) { return {fromLane(v.most, mask), fromLane(v.total, mask)}; }

/// Lanes exchange in a butterfly: each join is of the same two values in both lanes, and joins commute.
template <typename T, typename Join> __device__ T joinWarp(T v, Join join) {
  for (int mask = 16; mask > 0; mask >>= 1)
    v = join(v, fromLane(v, mask));
  return v;
}

/// Over Threads threads of x: a warp, or the whole block, which gives scratch of Threads / 32 elements. All must
/// arrive.
template <int Threads, typename T, typename Join> __device__ T joinThreads(T v, Join join, T *scratch) {
  v = joinWarp(v, join);
  if constexpr (Threads > 32) {
    __syncthreads(); // an earlier join's scratch has been read
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
    __syncthreads();
    v = scratch[0];
    for (int warp = 1; warp < Threads / 32; ++warp)
      v = join(v, scratch[warp]);
  }
  return v;
}

/// Threads for a row of n elements, as blocks: a warp for each of four short rows, else a block for each.
constexpr int kRowsPerBlock = 4;

} // namespace autotp::cuda

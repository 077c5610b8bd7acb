#include "tests/cuda_emulation/test_kernels.h"

namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void saxpy(int n, float a, const float *__restrict__ x, const float *__restrict__ y, float *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a * __ldg(x + i) + y[i];
}

__global__ void blockSum(const float *x, float *out, bool sync) {
  __shared__ float part[64];
  part[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  for (unsigned width = 32; width > 0; width /= 2) {
    if (sync) __syncthreads();
    if (threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
  }
  if (threadIdx.x == 0) out[blockIdx.x] = part[0];
}

__device__ __forceinline__ float warpSum(float value) {
  for (int width = 16; width > 0; width /= 2)
    value += __shfl_xor_sync(kAll, value, width);
  return value;
}

template <int N> __device__ float sumOf(float value) {
  __shared__ float part[N];
  value = warpSum(value);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < N; ++i)
    sum += part[i];
  return sum;
}

template <int N> __global__ void __launch_bounds__(64) dynamicSum(const float *x, float *out) {
  auto *row = reinterpret_cast<float *>(emulation::dynamicShared());
  row[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  float sum = sumOf<N>(row[63 - threadIdx.x]);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

__global__ void warp(const int *x, int *out) {
  int i = threadIdx.x, value = x[i];
  out[i] = __shfl_sync(kAll, value, 3);
  out[64 + i] = __shfl_xor_sync(kAll, value, 1);
  out[128 + i] = __shfl_up_sync(kAll, value, 2);
  out[192 + i] = __shfl_down_sync(kAll, value, 2);
  out[256 + i] = __shfl_xor_sync(kAll, value, 4, 8);
  out[320 + i] = int(__ballot_sync(kAll, value % 3 == 0));
  out[384 + i] = __any_sync(kAll, value == 40);
  out[448 + i] = __all_sync(kAll, value < 32);
  if (i % 32 < 16)
    out[512 + i] = __reduce_add_sync(0xffffu, value);
  else
    out[512 + i] = __reduce_max_sync(0xffff0000u, value);
}

__global__ void atomics(int n, int *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd(out, i);
  atomicMax(out + 1, i);
  atomicMin(out + 2, i);
  if (atomicExch(out + 3, 1) == 0) atomicAdd(out + 6, 1);
  atomicCAS(out + 4, i, i + 1);
  atomicOr(out + 5, 1 << (i % 8));
}

__global__ void readUnwritten(unsigned *out) {
  __shared__ unsigned words[2];
  out[blockIdx.x * 2] = words[0];
  out[blockIdx.x * 2 + 1] = words[1];
  words[0] = words[1] = 0;
}

__global__ void makeMistake(Mistake mistake, int *out) {
  int i = threadIdx.x, value = i;
  switch (mistake) {
  case Mistake::BarrierInBranch:
    if (i < 16)
      __syncthreads();
    else
      value = __shfl_sync(kAll, value, 0);
    break;
  case Mistake::MissingLane:
    if (i != 5)
      value = __shfl_xor_sync(kAll, value, 1);
    else
      __syncthreads();
    break;
  case Mistake::LaneNotNamed:
    __syncwarp(0xffu);
    break;
  case Mistake::ReadsEndedLane:
    if (i == 5) return;
    value = __shfl_xor_sync(kAll, value, 1);
    break;
  case Mistake::DifferentOperations:
    if (i < 16)
      value = int(__ballot_sync(kAll, 1));
    else
      value = __shfl_sync(kAll, value, 0);
    break;
  }
  out[i] = value;
}

__global__ void predicates(int *out) {
  int i = threadIdx.x;
  out[3 * i] = __syncthreads_count(i < 5);
  out[3 * i + 1] = __syncthreads_and(i >= 0);
  out[3 * i + 2] = __syncthreads_or(i == 64);
}

__global__ void barriers(int passes, float *data) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int pass = 0; pass < passes; ++pass) {
    data[i] += 1;
    __syncthreads();
  }
}

__global__ void pastEnd(int n, float *data) { data[n] = float(threadIdx.x); }

__global__ void pastShared(float *out) {
  __shared__ float row[8];
  row[threadIdx.x] = 1;
  out[threadIdx.x] = row[threadIdx.x];
}

__global__ void nothing() {}

} // namespace

using emulation::launch;

cudaError_t launchSaxpy(int n, float a, const float *x, const float *y, float *out, cudaStream_t stream) {
  return launch(saxpy, (n + 127) / 128, 128, 0, stream, n, a, x, y, out);
}
cudaError_t launchBlockSum(int blocks, const float *x, float *out, bool sync, cudaStream_t stream) {
  return launch(blockSum, blocks, 64, 0, stream, x, out, sync);
}
const void *dynamicSumKernel() { return reinterpret_cast<const void *>(&dynamicSum<2>); }
cudaError_t launchDynamicSum(int blocks, size_t sharedBytes, const float *x, float *out, cudaStream_t stream) {
  return launch(dynamicSum<2>, blocks, 64, sharedBytes, stream, x, out);
}
cudaError_t launchWarp(const int *x, int *out, cudaStream_t stream) { return launch(warp, 1, 64, 0, stream, x, out); }
cudaError_t launchAtomics(int n, int *out, cudaStream_t stream) {
  return launch(atomics, (n + 63) / 64, 64, 0, stream, n, out);
}
cudaError_t launchReadUnwritten(unsigned *out, cudaStream_t stream) {
  return launch(readUnwritten, 2, 1, 0, stream, out);
}
cudaError_t launchMistake(Mistake mistake, int *out, cudaStream_t stream) {
  return launch(makeMistake, 1, 32, 0, stream, mistake, out);
}
cudaError_t launchPredicates(int *out, cudaStream_t stream) { return launch(predicates, 1, 64, 0, stream, out); }
cudaError_t launchBarriers(int passes, float *data, cudaStream_t stream) {
  return launch(barriers, 2, 1024, 0, stream, passes, data);
}
cudaError_t launchPastEnd(int n, float *data, cudaStream_t stream) { return launch(pastEnd, 1, 1, 0, stream, n, data); }
cudaError_t launchPastShared(float *out, cudaStream_t stream) { return launch(pastShared, 1, 9, 0, stream, out); }
cudaError_t launchShape(dim3 grid, dim3 block, size_t sharedBytes) {
  return launch(nothing, grid, block, sharedBytes, nullptr);
}

/// \file The one way by which this device starts a kernel, and the one way by which a kernel finds its dynamic shared
/// memory. Under AUTOTP_CUDA_EMULATION the same sources are C++ and a kernel is a function that fibers of the host run.
#pragma once

#include "runtime/device/device.h"

#include <cuda_runtime.h>

#ifdef AUTOTP_CUDA_EMULATION
#include "emulation/launch.h"
#endif

#include <cstdint>

namespace autotp::cuda {

struct LaunchShape {
  dim3 grid, block;
  size_t sharedBytes = 0;
};

/// Blocks of `threads`, each thread with one of `items`. 0 blocks where there is none: launch() does nothing then.
inline LaunchShape overItems(int64_t items, unsigned threads = 256) {
  return {dim3(unsigned((items + threads - 1) / threads)), dim3(threads)};
}

/// A grid of one dimension has at most 2^31 - 1 blocks.
constexpr int64_t kMostBlocks = INT32_MAX;

template <typename... Params, typename... Args>
Status launch(void (*kernel)(Params...), const LaunchShape &shape, cudaStream_t stream, Args... args) {
  static_assert(sizeof...(Params) == sizeof...(Args));
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return Status::Ok;
#ifdef AUTOTP_CUDA_EMULATION
  const cudaError_t error = emulation::launch(kernel, shape.grid, shape.block, shape.sharedBytes, stream, args...);
  return error == cudaSuccess ? Status::Ok : Status::LibraryFailed;
#else
  return [&](Params... values) {
    void *pointers[] = {static_cast<void *>(&values)...};
    const cudaError_t error = cudaLaunchKernel(reinterpret_cast<const void *>(kernel), shape.grid, shape.block,
                                               pointers, shape.sharedBytes, stream);
    return error == cudaSuccess ? Status::Ok : Status::LibraryFailed;
  }(static_cast<Params>(args)...);
#endif
}

/// Lets a kernel ask for more than the 48 KiB of dynamic shared memory that it may have unasked. At load. `bytes` is
/// the most that any call of this kernel asks for: a later, smaller number would take away from calls that are ready.
template <typename... Params> bool allowShared(void (*kernel)(Params...), size_t bytes) {
  if (cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                           int(bytes)) == cudaSuccess)
    return true;
  (void)cudaGetLastError(); // the caller tells it
  return false;
}

/// This block's dynamic shared memory, 16-byte aligned.
template <typename T> __device__ __forceinline__ T *dynamicShared() {
#ifdef AUTOTP_CUDA_EMULATION
  return reinterpret_cast<T *>(emulation::dynamicShared());
#else
  extern __shared__ __align__(16) unsigned char shared[];
  return reinterpret_cast<T *>(shared);
#endif
}

} // namespace autotp::cuda

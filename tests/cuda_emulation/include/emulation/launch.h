/// \file Starts a kernel. Real hardware's limits on grid, block and shared memory are kept.
#pragma once

#include "cuda_runtime_api.h"

#include <functional>
#include <memory>
#include <tuple>

namespace emulation {

/// What one launch runs; `thread` runs one thread to its end.
struct Kernel {
  const void *function = nullptr;
  std::function<void()> thread;
};

cudaError_t enqueueKernel(Kernel kernel, dim3 grid, dim3 block, size_t sharedBytes, cudaStream_t stream);

/// Arguments are converted to the kernel's parameters and copied now, as a device does.
template <typename... P, typename... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t sharedBytes, cudaStream_t stream, A... args) {
  static_assert(sizeof...(P) == sizeof...(A), "a kernel takes all its arguments");
  std::tuple<std::remove_cv_t<P>...> parameters(static_cast<P>(args)...);
  auto thread = [kernel, parameters] { std::apply(kernel, parameters); };
  return enqueueKernel({reinterpret_cast<const void *>(kernel), std::move(thread)}, grid, block, sharedBytes, stream);
}

} // namespace emulation

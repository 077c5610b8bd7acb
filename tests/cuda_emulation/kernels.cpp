// Launches, and what hardware allows of them.
#include "tests/cuda_emulation/block_runner.h"
#include "tests/cuda_emulation/hardware_limits.h"
#include "tests/cuda_emulation/state.h"

namespace emulation {
namespace {

bool fitsGrid(dim3 grid) {
  return grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535;
}

bool fitsBlock(dim3 block) {
  return block.x > 0 && block.y > 0 && block.z > 0 && block.x <= 1024 && block.y <= 1024 && block.z <= 64 &&
         size_t(block.x) * block.y * block.z <= kMaxThreadsPerBlock;
}

size_t sharedLimitOf(const State &state, const void *function) {
  auto set = state.dynamicSharedLimit.find(function);
  return set == state.dynamicSharedLimit.end() ? kSharedBytesWithoutOptIn : size_t(set->second);
}

} // namespace

cudaError_t enqueueKernel(Kernel kernel, dim3 grid, dim3 block, size_t sharedBytes, cudaStream_t handle) {
  return call([&](State &state, Lock &) {
    CUstream_st *stream = findStream(state, handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (!kernel.function) return cudaErrorInvalidDeviceFunction;
    if (!fitsGrid(grid) || !fitsBlock(block)) return cudaErrorInvalidConfiguration;
    if (sharedBytes > sharedLimitOf(state, kernel.function)) return cudaErrorInvalidValue;
    ++state.launches;
    Work work{.name = "kernel"};
    work.run = [&state, kernel = std::move(kernel), grid, block, sharedBytes] {
      return runGrid(kernel, grid, block, sharedBytes, state.random);
    };
    return enqueue(state, stream, std::move(work));
  });
}

} // namespace emulation

using namespace emulation;

cudaError_t cudaFuncSetAttribute(const void *func, cudaFuncAttribute attr, int value) {
  return call([&](State &state, Lock &) {
    if (!func) return cudaErrorInvalidDeviceFunction;
    if (attr == cudaFuncAttributePreferredSharedMemoryCarveout)
      return value >= -1 && value <= 100 ? cudaSuccess : cudaErrorInvalidValue;
    if (attr != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        size_t(value) > optInSharedBytes(state.machine))
      return cudaErrorInvalidValue;
    state.dynamicSharedLimit[func] = value;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *func, int blockSize,
                                                          size_t dynamicSMemSize) {
  return call([&](State &state, Lock &) {
    if (!blocks || !func || blockSize <= 0) return cudaErrorInvalidValue;
    size_t byThreads = kMaxThreadsPerMultiprocessor / ((size_t(blockSize) + 31) / 32 * 32);
    size_t byShared = sharedBytesPerMultiprocessor(state.machine) / (dynamicSMemSize + kReservedSharedBytes);
    bool fits = blockSize <= int(kMaxThreadsPerBlock) && dynamicSMemSize <= sharedLimitOf(state, func);
    *blocks = fits ? int(std::min({byThreads, byShared, kMaxBlocksPerMultiprocessor})) : 0;
    return cudaSuccess;
  });
}

/// \file CUDA's runtime and kernel language for C++ on the host: g++ -x c++ builds a .cu with this in its path.
#pragma once

#include "cuda_runtime_api.h"
#include "emulation/atomics.h"
#include "emulation/intrinsics.h"
#include "emulation/kernel_language.h"
#include "emulation/launch.h"
#include "emulation/warp.h"
#include "library_types.h"

#include <cstring>

template <typename T> cudaError_t cudaMalloc(T **devPtr, size_t size) {
  return cudaMalloc(reinterpret_cast<void **>(devPtr), size);
}
template <typename T> cudaError_t cudaMallocHost(T **ptr, size_t size, unsigned flags = 0) {
  return cudaHostAlloc(reinterpret_cast<void **>(ptr), size, flags);
}
template <typename T> cudaError_t cudaHostAlloc(T **ptr, size_t size, unsigned flags) {
  return cudaHostAlloc(reinterpret_cast<void **>(ptr), size, flags);
}
template <typename T> cudaError_t cudaFuncSetAttribute(T *func, cudaFuncAttribute attr, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void *>(func), attr, value);
}
template <typename T>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, T func, int blockSize, size_t dynamicSMemSize) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void *>(func), blockSize,
                                                       dynamicSMemSize);
}
template <typename T> cudaError_t cudaMemcpyToSymbol(T &symbol, const void *src, size_t count, size_t offset = 0) {
  return cudaMemcpy(reinterpret_cast<char *>(&symbol) + offset, src, count, cudaMemcpyHostToDevice);
}

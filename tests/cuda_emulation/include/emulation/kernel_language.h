/// \file The words of the kernel language, and the places of a thread. One block runs at a time in the whole process,
/// its threads as fibers, so that the places are plain variables.
#pragma once

#include "emulation/vector_types.h"

#include <cstddef>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define EMULATION_JOIN_(a, b) a##b
#define EMULATION_JOIN(a, b) EMULATION_JOIN_(a, b)
// The mark tells which functions own shared variables, so that these can be found by symbol and poisoned before each
// block: a macro in front of a declaration cannot learn the variable's name.
#define __shared__                                                                                                     \
  static char EMULATION_JOIN(emulationSharedMark, __LINE__) __attribute__((used));                                     \
  static

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace emulation {

/// This block's dynamic shared memory, 1024-byte aligned, poisoned when the block starts.
std::byte *dynamicShared();

enum class Barrier : unsigned char { Plain, Count, And, Or };
/// Waits for all live threads of the block; the count of predicates that hold, or whether all or any do.
int blockBarrier(Barrier kind, int predicate);

/// Reports a mistake of the running kernel and ends its launch; does not return.
[[noreturn]] void failKernel(const char *what);

} // namespace emulation

inline void __syncthreads() { emulation::blockBarrier(emulation::Barrier::Plain, 0); }
inline int __syncthreads_count(int predicate) { return emulation::blockBarrier(emulation::Barrier::Count, predicate); }
inline int __syncthreads_and(int predicate) { return emulation::blockBarrier(emulation::Barrier::And, predicate); }
inline int __syncthreads_or(int predicate) { return emulation::blockBarrier(emulation::Barrier::Or, predicate); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __trap() { emulation::failKernel("__trap() was called"); }

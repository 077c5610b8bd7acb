/// \file What hardware of a compute capability allows (CUDA programming guide, table of technical specifications).
#pragma once

#include "emulation/control.h"

#include <algorithm>

namespace emulation {

constexpr size_t kMaxThreadsPerBlock = 1024, kMaxThreadsPerMultiprocessor = 2048, kMaxBlocksPerMultiprocessor = 32;
constexpr size_t kSharedBytesWithoutOptIn = 48 << 10, kReservedSharedBytes = 1 << 10;

inline size_t sharedBytesPerMultiprocessor(const Machine &machine) {
  int capability = machine.major * 10 + machine.minor;
  if (capability == 86 || capability == 89 || machine.major == 12) return 100 << 10;
  return capability < 90 ? 164 << 10 : 228 << 10;
}
/// What one block may have after cudaFuncSetAttribute.
inline size_t optInSharedBytes(const Machine &machine) {
  return sharedBytesPerMultiprocessor(machine) - kReservedSharedBytes;
}

} // namespace emulation

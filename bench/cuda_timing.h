/// \file Times calls on a GPU: from cold caches, by events, the median of repeats.
#pragma once

#include "bench/kernel_calls.h"

#include <cuda_runtime.h>

namespace autotp::bench {

struct TimingOptions {
  bool allowsTf32 = false; ///< in products
  int repeats = 11;        ///< after two that are not counted
  size_t flushBytes = 0;   ///< written before each repeat: more than the caches hold
};

/// The median ms of the call, on a device of its own. Operands are random in [0.1, 1), or the call's range of ids.
llvm::Expected<double> timeCall(const KernelCall &call, const TimingOptions &options);

/// The median ms of copying `bytes` within the GPU's memory.
llvm::Expected<double> timeCopy(size_t bytes, const TimingOptions &options);

} // namespace autotp::bench

/// \file Operands of several ranks combined by one of them: the collectives of ranks that share a process.
#pragma once

#include "runtime/device/cuda/launch.h"

namespace autotp::cuda {

/// Ranks that one call can read or write: their addresses travel as a kernel's parameter.
constexpr size_t kMostCombined = 128;

Status combine(const Combination &combination, cudaStream_t stream);

} // namespace autotp::cuda

/// \file The cpu device: oneDNN for products, kernels of our own for the rest.
#pragma once

#include "runtime/device/device.h"

namespace autotp {

/// `threads` is OpenMP threads of this rank.
/// Errors: a host that lacks the instruction set the kernels are compiled for; a build without the device.
llvm::Expected<std::unique_ptr<Device>> makeCpuDevice(int threads);

} // namespace autotp

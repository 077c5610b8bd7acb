/// \file The cpu device: oneDNN for products, kernels of our own for the rest.
#pragma once

#include "runtime/device/device.h"

#include <string>
#include <vector>

namespace autotp {

/// The instruction sets that the kernels are compiled for and that the host has, the best first: "x86-64-v3".
std::vector<std::string> cpuInstructionSets();

/// `threads` is OpenMP threads of this rank; `instructionSet` one of the above, the best where it is empty. Equal sets
/// give equal bits. Errors: a host or a build that lacks it; a build without the device.
llvm::Expected<std::unique_ptr<Device>> makeCpuDevice(int threads, llvm::StringRef instructionSet = "");

} // namespace autotp

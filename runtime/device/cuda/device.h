/// \file The cuda device: one NVIDIA GPU.
#pragma once

#include "runtime/device/device.h"

namespace autotp {

struct CudaOptions {
  int ordinal = 0;         ///< of the GPU, among those that the process sees
  bool allowsTf32 = false; ///< products may round their operands to 10 bits of fraction, for several times the speed
};

/// Errors: no driver, no such GPU, or one that this build has no code for.
llvm::Expected<std::unique_ptr<Device>> makeCudaDevice(const CudaOptions &options);

/// Errors: as makeCudaDevice(); and less than `bytes` of free memory there. Takes none.
llvm::Error checkGpu(const CudaOptions &options, uint64_t bytes);

/// How many GPUs this process sees; 0 without a driver, and in a build without a cuda device.
int countGpus();

/// Where a GPU sits in its host, the same for every process ("0000:3b:00.0"); empty where there is no such GPU.
std::string gpuAddress(int ordinal);

/// Why the cuda device lacks a kernel; empty where it has it.
llvm::StringRef whyMissingOnCuda(KernelId kernel);

} // namespace autotp

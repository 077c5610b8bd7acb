/// \file What a build without nvcc has of the cuda device.
#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"

namespace autotp {

llvm::Expected<std::unique_ptr<Device>> makeCudaDevice(const CudaOptions &) {
  return problem("cuda device", "this build has none", "configure where nvcc is found, or compile the plan for cpu");
}

llvm::Error checkGpu(const CudaOptions &options, uint64_t) { return makeCudaDevice(options).takeError(); }

int countGpus() { return 0; }

std::string gpuAddress(int) { return ""; }

llvm::StringRef whyMissingOnCuda(KernelId) { return "this build has no cuda device"; }

} // namespace autotp

/// \file What a build for GPUs alone has of the cpu device.
#include "runtime/base/error.h"
#include "runtime/device/cpu/device.h"

namespace autotp {

std::vector<std::string> cpuInstructionSets() { return {}; }

llvm::Expected<std::unique_ptr<Device>> makeCpuDevice(int, llvm::StringRef) {
  return problem("cpu device", "this build has none",
                 "configure with -DAUTOTP_WITH_CPU=ON, or compile the plan for cuda");
}

} // namespace autotp

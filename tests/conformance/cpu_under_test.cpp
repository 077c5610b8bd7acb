/// \file The suites on the host: on the instruction set that CMakeLists.txt names, else on the best.
#include "runtime/device/cpu/device.h"
#include "tests/conformance/device_under_test.h"

#include "runtime/base/error.h"

#include <cstdlib>

#ifndef AUTOTP_CPU_SET
#define AUTOTP_CPU_SET ""
#endif

namespace autotp::test {

std::unique_ptr<Device> makeDeviceUnderTest(int threads) {
  auto device = makeCpuDevice(threads, AUTOTP_CPU_SET);
  if (device) return std::move(*device);
  llvm::errs() << describe(device.takeError()) << "\n"; // ctest takes this line for a skipped test
  std::exit(1);
}

uint64_t plannedWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands,
                               llvm::ArrayRef<TensorShape> results, int threads) {
  return workspaceBytes(DeviceKind::Cpu, kernel, {operands, results, threads});
}

bool needsWorkspace(KernelId) { return true; }

} // namespace autotp::test

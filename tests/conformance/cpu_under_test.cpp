/// \file The suites on the host.
#include "runtime/device/cpu/device.h"
#include "tests/conformance/device_under_test.h"

namespace autotp::test {

std::unique_ptr<Device> makeDeviceUnderTest(int threads) { return llvm::cantFail(makeCpuDevice(threads)); }

uint64_t plannedWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands,
                               llvm::ArrayRef<TensorShape> results, int threads) {
  return cpuWorkspaceBytes(kernel, operands, results, threads);
}

bool needsWorkspace(KernelId) { return true; }

} // namespace autotp::test

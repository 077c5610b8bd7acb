/// \file The suites on a GPU, which may be emulated.
#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"
#include "tests/conformance/device_under_test.h"

#include <gtest/gtest.h>

namespace autotp::test {

std::unique_ptr<Device> makeDeviceUnderTest(int) {
  auto device = makeCudaDevice({});
  if (device) return std::move(*device);
  ADD_FAILURE() << describe(device.takeError());
  return nullptr;
}

uint64_t plannedWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands,
                               llvm::ArrayRef<TensorShape> results, int) {
  return workspaceBytes(DeviceKind::Cuda, kernel, {operands, results});
}

/// Attention keeps all it needs on the chip.
bool needsWorkspace(KernelId kernel) { return kernel != KernelId::Attention; }

} // namespace autotp::test

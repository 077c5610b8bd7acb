/// \file The device that a suite is linked with.
#pragma once

#include "runtime/device/device.h"
#include "runtime/plan/kernels/workspace.h"

#include <string>

namespace autotp::test {

/// `threads` means something on the cpu device alone.
std::unique_ptr<Device> makeDeviceUnderTest(int threads);
uint64_t plannedWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands,
                               llvm::ArrayRef<TensorShape> results, int threads);
/// Whether the device needs some workspace for a kernel, so that too little of it is refused.
bool needsWorkspace(KernelId kernel);

} // namespace autotp::test

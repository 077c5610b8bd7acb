/// \file Scratch memory of a kernel call, known to the compiler so that it stands in the planned arena.
#pragma once

#include "runtime/plan/dtype.h"
#include "runtime/plan/kernels/kernel_id.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace autotp {

/// A tensor of a kernel call, without its memory.
struct TensorShape {
  DType dtype;
  llvm::SmallVector<int64_t, 6> shape;

  int64_t elements() const;
};

/// What the workspace of a call depends on.
struct WorkspaceCall {
  llvm::ArrayRef<TensorShape> operands, results;
  int threads = 1; ///< of the rank, on the cpu device: the bound holds for any number up to this
};

/// What a plan is made for. In the manifest: "cpu" or "cuda".
enum class DeviceKind : uint8_t { Cpu, Cuda };

/// Bytes of workspace that a call needs: an upper bound, 0 for most kernels, and on a GPU the same for every kind. A
/// device checks it at load, so a bound that is wrong is an error and not a fault.
uint64_t workspaceBytes(DeviceKind device, KernelId kernel, const WorkspaceCall &call);

} // namespace autotp

/// \file Scratch memory of a kernel call, known to the compiler so that it stands in the planned arena.
#pragma once

#include "runtime/plan/dtype.h"
#include "runtime/plan/kernel_id.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace autotp {

/// The operand of a kernel call, without its memory.
struct TensorShape {
  DType dtype;
  llvm::SmallVector<int64_t, 6> shape;
};

/// Bytes of workspace that `kernel` needs on the cpu device with these operands, whatever the number of threads up to
/// `threads`. An upper bound; 0 for most kernels. The device checks it at load, so a wrong bound is an error, not a
/// fault.
uint64_t cpuWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands, llvm::ArrayRef<TensorShape> results,
                           int threads);

/// The same for the cuda device, on whatever GPU. A product gets less than it could use where it is small.
uint64_t cudaWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands, llvm::ArrayRef<TensorShape> results);

/// What a plan is made for. In the manifest: "cpu" or "cuda".
enum class DeviceKind : uint8_t { Cpu, Cuda };

} // namespace autotp

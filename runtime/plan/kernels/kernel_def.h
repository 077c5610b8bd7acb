/// \file A kernel's row: all that the compiler and every device know of it. kernels.def has the rows.
#pragma once

#include "runtime/plan/kernels/check_call.h"
#include "runtime/plan/kernels/signature.h"
#include "runtime/plan/kernels/workspace.h"

namespace autotp {

struct KernelDef {
  KernelId id;
  const char *name, *signature;
  llvm::ArrayRef<DType> dtypes;                 ///< of the call's data, see dataDType()
  llvm::Error (*check)(const KernelCall &call); ///< after the number of tensors and the dtype of the data were checked
  uint64_t (*cpuWorkspace)(const WorkspaceCall &call), (*cudaWorkspace)(const WorkspaceCall &call);
};

/// In the order of kernels.def.
llvm::ArrayRef<KernelDef> allKernels();
/// Null for KernelId::None and for a number that is no kernel.
const KernelDef *findKernel(KernelId kernel);
/// Parsed once. The kernel must have a row.
const Signature &signatureOf(KernelId kernel);

} // namespace autotp

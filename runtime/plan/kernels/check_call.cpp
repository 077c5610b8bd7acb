#include "runtime/plan/kernels/check_call.h"

#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

llvm::Error checkSignature(const KernelCall &call) { return matchSignature(signatureOf(call.kernel), call); }

std::optional<DType> unsupportedDType(const KernelCall &call) {
  const KernelDef *row = findKernel(call.kernel);
  const std::optional<DType> data = row ? dataDType(signatureOf(call.kernel), call) : std::nullopt;
  return data && !llvm::is_contained(row->dtypes, *data) ? data : std::nullopt;
}

llvm::Error checkCall(const KernelCall &call) {
  const KernelDef *row = findKernel(call.kernel);
  if (!row) return problem("kernel " + std::to_string(int(call.kernel)), "there is none of this number");
  if (llvm::Error error = checkCounts(signatureOf(call.kernel), call)) return error;
  if (const std::optional<DType> dtype = unsupportedDType(call)) return unsupported(call, *dtype);
  return row->check(call);
}

} // namespace autotp

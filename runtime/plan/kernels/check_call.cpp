#include "runtime/plan/kernels/check_call.h"

#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

llvm::Error checkSignature(const KernelCall &call) { return matchSignature(signatureOf(call.kernel), call); }

llvm::Error checkCall(const KernelCall &call) {
  const KernelDef *row = findKernel(call.kernel);
  if (!row) return problem("kernel " + std::to_string(int(call.kernel)), "there is none of this number");
  const Signature &signature = signatureOf(call.kernel);
  if (llvm::Error error = checkCounts(signature, call)) return error;
  if (std::optional<DType> data = dataDType(signature, call); data && !llvm::is_contained(row->dtypes, *data))
    return unsupported(call, *data);
  return row->check(call);
}

} // namespace autotp

#include "runtime/plan/kernels/cuda_workspace.h"
#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

llvm::Error checkReduce(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const ArgShape &x = call.args.operands[0].shape;
  const std::vector<int64_t> axes = call.args.attributes.integers("axes");
  int64_t kept = 1;
  for (size_t i = 0; i < x.size(); ++i)
    if (!llvm::is_contained(axes, int64_t(i))) kept *= x[i];
  for (int64_t axis : axes)
    if (axis < 0 || axis >= int64_t(x.size())) return mistake(call, "an axis is outside the operand's dimensions");
  return expectElements(call, call.args.results[0], kept, "the result");
}

uint64_t cudaReduceWorkspace(const WorkspaceCall &call) {
  const int64_t kept = call.results[0].elements();
  return kept ? cudaReduceBytes(kept, call.operands[0].elements() / kept) : 0;
}

} // namespace autotp

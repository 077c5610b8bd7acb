#include "runtime/plan/kernels/cuda_workspace.h"
#include "runtime/plan/kernels/kernel_def.h"

namespace autotp {

/// (parameters, states.., gradients, ...) -> (parameters, states..).
llvm::Error checkUpdate(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  for (size_t k = 0; k < call.args.results.size(); ++k)
    if (call.args.results[k].data != call.args.operands[k].data) return mistake(call, "it works in place only");
  return llvm::Error::success();
}

llvm::Error checkLossScale(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  if (call.args.results[0].data != call.args.operands[0].data) return mistake(call, "its state is in place only");
  return llvm::Error::success();
}

uint64_t cudaSumSquaresWorkspace(const WorkspaceCall &call) { return cudaSumSquaresBytes(call.operands[0].elements()); }

} // namespace autotp

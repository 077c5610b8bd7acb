#include "runtime/plan/kernels/kernel_def.h"

namespace autotp {

llvm::Error checkDropout(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const auto &in = call.args.operands;
  const ArgShape &x = in[0].shape;
  if (in.size() != 2 + x.size())
    return mistake(call, "has positions for " + llvm::Twine(in.size() - 2) + " dimensions, and its operand has " +
                             llvm::Twine(x.size()));
  for (size_t d = 0; d < x.size(); ++d)
    if (llvm::Error error = expectShape(call, in[2 + d], {x[d], 2}, "positions")) return error;
  return llvm::Error::success();
}

} // namespace autotp

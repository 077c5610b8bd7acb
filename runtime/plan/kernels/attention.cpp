#include "runtime/plan/kernels/kernel_def.h"

namespace autotp {

llvm::Error checkAttention(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const AttentionSizes z = attentionSizes(call);
  if (z.kv ? z.h % z.kv : z.h) return mistake(call, "its query heads do not divide into its KV heads");
  return llvm::Error::success();
}

AttentionSizes attentionSizes(const KernelCall &call) {
  const ArgShape &q = call.args.operands[0].shape, &k = call.args.operands[1].shape, &v = call.args.operands[2].shape;
  return {q[0], q[1], q[2], q[3], k[1], k[2], v[3]};
}

const TensorArg *attentionMask(const KernelCall &call) {
  const size_t at = call.kernel == KernelId::Attention ? 3 : 6;
  return call.args.operands.size() > at ? &call.args.operands[at] : nullptr;
}

std::array<int64_t, 4> maskStrides(const TensorArg &mask) {
  std::array<int64_t, 4> strides{};
  int64_t stride = 1;
  for (size_t d = 4; d-- > 0; stride *= mask.shape[d])
    strides[d] = mask.shape[d] == 1 ? 0 : stride;
  return strides;
}

static AttentionSizes sizesOf(const WorkspaceCall &call) {
  const auto &q = call.operands[0].shape, &k = call.operands[1].shape, &v = call.operands[2].shape;
  return {q[0], q[1], q[2], q[3], k[1], k[2], v[3]};
}

uint64_t cpuAttentionWorkspace(const WorkspaceCall &call) { return attentionWorkspace(sizesOf(call), call.threads); }

uint64_t cpuAttentionGradWorkspace(const WorkspaceCall &call) {
  return attentionGradWorkspace(sizesOf(call), call.threads);
}

/// Of each row of out, its product with its gradient.
uint64_t cudaAttentionGradWorkspace(const WorkspaceCall &call) {
  return uint64_t(call.operands[4].elements()) * sizeof(float);
}

} // namespace autotp

#include "runtime/plan/workspace.h"

#include "runtime/plan/attention_workspace.h"

namespace autotp {

namespace {
/// oneDNN 2.6's brgemm packs blocks of its operands for each thread: at most 673 KB over the shapes and transposes
/// measured (from 1x1x64 to 4096x768x50257, 1 and 2 threads), whatever the size of the operands.
constexpr uint64_t kMatMulBytesPerThread = uint64_t{1} << 20;

AttentionSizes sizesOf(llvm::ArrayRef<TensorShape> operands) {
  const auto &q = operands[0].shape, &k = operands[1].shape, &v = operands[2].shape;
  return {q[0], q[1], q[2], q[3], k[1], k[2], v[3]};
}
} // namespace

uint64_t cpuWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands, llvm::ArrayRef<TensorShape>,
                           int threads) {
  switch (kernel) {
  case KernelId::MatMul:
    return kMatMulBytesPerThread * uint64_t(threads);
  case KernelId::Attention:
    return attentionWorkspace(sizesOf(operands), threads);
  case KernelId::AttentionGrad:
    return attentionGradWorkspace(sizesOf(operands), threads);
  case KernelId::LayerNormGrad:
    return uint64_t(threads) * 2 * uint64_t(operands[1].shape[0]) * sizeof(float);
  case KernelId::RmsNormGrad:
    return uint64_t(threads) * uint64_t(operands[1].shape[0]) * sizeof(float);
  case KernelId::CrossEntropy:
    return uint64_t(operands[0].shape[0]) * sizeof(float);
  default:
    return 0;
  }
}

} // namespace autotp

#include "runtime/plan/workspace.h"

#include "runtime/plan/attention_workspace.h"
#include "runtime/plan/cuda_workspace.h"

#include <cmath>

namespace autotp {

namespace {
/// oneDNN 2.6's brgemm packs blocks of its operands for each thread: at most 673 KB over the shapes and transposes
/// measured (from 1x1x64 to 4096x768x50257, 1 and 2 threads), whatever the size of the operands.
constexpr uint64_t kMatMulBytesPerThread = uint64_t{1} << 20;

AttentionSizes sizesOf(llvm::ArrayRef<TensorShape> operands) {
  const auto &q = operands[0].shape, &k = operands[1].shape, &v = operands[2].shape;
  return {q[0], q[1], q[2], q[3], k[1], k[2], v[3]};
}

int64_t elementsOf(const TensorShape &tensor) {
  int64_t n = 1;
  for (int64_t d : tensor.shape)
    n *= d;
  return n;
}

/// Small floats pass through f32 on processors that do not multiply them, and a plan runs on any.
uint64_t widenedBytes(llvm::ArrayRef<TensorShape> operands, llvm::ArrayRef<TensorShape> results) {
  if (results[0].dtype == DType::F32) return 0;
  int64_t elements = elementsOf(results[0]);
  for (const TensorShape &operand : operands)
    elements += elementsOf(operand);
  return uint64_t(elements) * sizeof(float) + 64;
}
} // namespace

uint64_t cpuWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands, llvm::ArrayRef<TensorShape> results,
                           int threads) {
  switch (kernel) {
  case KernelId::MatMul:
  case KernelId::MatMulBias:
  case KernelId::MatMulBiasGelu:
  case KernelId::MatMulGeluGrad:
    return kMatMulBytesPerThread * uint64_t(threads) + widenedBytes(operands, results);
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

namespace {
uint64_t normGradBytes(const TensorShape &x, int vectors) {
  const int64_t width = x.shape.back();
  return cudaNormGradBytes(width ? elementsOf(x) / width : 0, width, vectors);
}
} // namespace

uint64_t cudaWorkspaceBytes(KernelId kernel, llvm::ArrayRef<TensorShape> operands,
                            llvm::ArrayRef<TensorShape> results) {
  switch (kernel) {
  case KernelId::MatMul:
  case KernelId::MatMulBias:
  case KernelId::MatMulBiasGelu:
  case KernelId::MatMulGeluGrad: // the root of what a, b and c hold together is m k n, whatever is transposed
    return cudaProductBytes(
        std::sqrt(double(elementsOf(operands[0])) * double(elementsOf(operands[1])) * double(elementsOf(results[0]))));
  case KernelId::ReduceSum:
  case KernelId::ReduceMax: {
    const int64_t kept = elementsOf(results[0]);
    return kept ? cudaReduceBytes(kept, elementsOf(operands[0]) / kept) : 0;
  }
  case KernelId::ScatterAdd:
    return cudaScatterBytes(elementsOf(operands[0]), results[0].shape[0]);
  case KernelId::LayerNormGrad:
    return normGradBytes(operands[0], 2);
  case KernelId::RmsNormGrad:
    return normGradBytes(operands[0], 1);
  case KernelId::AttentionGrad: // of each row of out the product with its gradient
    return uint64_t(elementsOf(operands[4])) * sizeof(float);
  case KernelId::CrossEntropy:
    return uint64_t(operands[0].shape[0]) * sizeof(float);
  case KernelId::SumSquares:
    return cudaSumSquaresBytes(elementsOf(operands[0]));
  default:
    return 0;
  }
}

} // namespace autotp

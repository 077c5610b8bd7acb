#include "runtime/plan/kernels/cuda_workspace.h"
#include "runtime/plan/kernels/kernel_def.h"
#include "runtime/plan/kernels/product_workspace.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

namespace autotp {

ProductSizes productSizes(const KernelCall &call) {
  const ArgShape &a = call.args.operands[0].shape, &b = call.args.operands[1].shape;
  const bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  return {a[a.size() - (transA ? 1 : 2)], b[b.size() - (transB ? 2 : 1)], a[a.size() - (transA ? 2 : 1)]};
}

std::vector<int64_t> productShape(const KernelCall &call) {
  const ArgShape &a = call.args.operands[0].shape, &b = call.args.operands[1].shape;
  const ProductSizes z = productSizes(call);
  ArgShape shape(std::max(a.size(), b.size()), 1);
  for (const ArgShape *side : {&a, &b})
    for (size_t d = 0; d + 2 < side->size(); ++d) {
      int64_t &size = shape[shape.size() - side->size() + d];
      if (size == 1) size = (*side)[d];
    }
  shape[shape.size() - 2] = z.m;
  shape[shape.size() - 1] = z.n;
  return shape;
}

static llvm::Error sameDTypes(const KernelCall &call) {
  const bool staysWide = call.kernel == KernelId::MatMul && call.args.results[0].dtype == DType::F32;
  for (const auto *list : {&call.args.operands, &call.args.results})
    for (const TensorArg &tensor : llvm::ArrayRef(*list).drop_back(list == &call.args.results && staysWide))
      if (llvm::Error error = expectDType(call, tensor, call.args.operands[0].dtype, "an operand or result"))
        return error;
  return llvm::Error::success();
}

llvm::Error checkMatMul(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  const ArgShape &a = call.args.operands[0].shape, &b = call.args.operands[1].shape;
  if (a.size() < 2 || b.size() < 2) return mistake(call, "its operands need two dimensions");
  const ProductSizes z = productSizes(call);
  if (z.k != b[b.size() - (call.args.attributes.integer("trans_b") ? 1 : 2)])
    return mistake(call, "its operands do not fit");
  const TensorArg product{nullptr, call.args.results[0].dtype, productShape(call)};
  if (call.kernel == KernelId::MatMul) return expectShape(call, call.args.results[0], product.shape, "the result");
  for (const TensorArg &result : call.args.results)
    if (llvm::Error error = expectElements(call, result, product.elements(), "a result")) return error;
  const TensorArg &third = call.args.operands[2];
  if (call.kernel == KernelId::MatMulGeluGrad)
    return expectShape(call, third, call.args.results[0].shape, "gelu's operand");
  if (third.shape.empty() || third.shape.back() != z.n || third.elements() != z.n)
    return mistake(call, "its bias is no vector along its columns");
  return llvm::Error::success();
}

/// Small floats pass through f32 on processors that do not multiply them, and a plan runs on any.
static uint64_t widenedBytes(const WorkspaceCall &call) {
  if (call.operands[0].dtype == DType::F32) return 0;
  int64_t elements = call.results[0].dtype == DType::F32 ? 0 : call.results[0].elements();
  for (const TensorShape &operand : call.operands)
    elements += operand.elements();
  return uint64_t(elements) * sizeof(float) + 64;
}

/// Of a^T b, by their shapes: which side is transposed is not known here.
static uint64_t columnBlockBytes(const WorkspaceCall &call) {
  const auto &a = call.operands[0].shape, &b = call.operands[1].shape;
  const bool mayBe = a.size() == 2 && b.size() == 2 && a[0] == b[0];
  return mayBe && goesByColumns(a[1], b[1]) ? blockBytes(a[0]) : 0;
}

uint64_t cpuProductWorkspace(const WorkspaceCall &call) {
  // oneDNN 2.6's brgemm packs blocks of its operands for each thread: at most 673 KB over the shapes and transposes
  // measured (from 1x1x64 to 4096x768x50257, 1 and 2 threads), whatever the size of the operands.
  constexpr uint64_t kBytesPerThread = uint64_t{1} << 20;
  return kBytesPerThread * uint64_t(call.threads) + widenedBytes(call) + columnBlockBytes(call);
}

uint64_t cudaProductWorkspace(const WorkspaceCall &call) {
  // The root of what a, b and the product hold together is m k n, whatever is transposed.
  return cudaProductBytes(std::sqrt(double(call.operands[0].elements()) * double(call.operands[1].elements()) *
                                    double(call.results[0].elements())));
}

} // namespace autotp

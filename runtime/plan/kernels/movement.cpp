#include "runtime/plan/kernels/cuda_workspace.h"
#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

llvm::Error checkTranspose(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const ArgShape &x = call.args.operands[0].shape;
  const std::vector<int64_t> perm = call.args.attributes.integers("perm");
  std::vector<int64_t> sorted = perm;
  llvm::sort(sorted);
  if (sorted.size() != x.size()) return mistake(call, "perm is no permutation");
  ArgShape expected;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != int64_t(i)) return mistake(call, "perm is no permutation");
    expected.push_back(x[size_t(perm[i])]);
  }
  return expectShape(call, call.args.results[0], expected, "the result");
}

llvm::Error checkSlice(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const KernelAttributes &a = call.args.attributes;
  const int64_t axis = a.integer("axis");
  if (axis < 0 || axis >= int64_t(x.shape.size())) return mistake(call, "axis is outside the operand's dimensions");
  ArgShape expected = x.shape;
  if (y.shape.size() == x.shape.size()) expected[size_t(axis)] = y.shape[size_t(axis)];
  if (llvm::Error error = expectShape(call, y, expected, "the result")) return error;
  const int64_t length = expected[size_t(axis)], size = x.shape[size_t(axis)], start = a.integer("start");
  const int64_t last = start + (length - 1) * a.integer("step", 1);
  if (length > 0 && (start < 0 || start >= size || last < 0 || last >= size))
    return mistake(call, "reaches outside its operand");
  return llvm::Error::success();
}

llvm::Error checkConcat(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const ArgShape &y = call.args.results[0].shape;
  const int64_t axis = call.args.attributes.integer("axis");
  if (axis < 0 || axis >= int64_t(y.size())) return mistake(call, "axis is outside the result's dimensions");
  int64_t filled = 0;
  for (const TensorArg &x : call.args.operands) {
    ArgShape expected = y;
    if (x.shape.size() == y.size()) expected[size_t(axis)] = x.shape[size_t(axis)];
    if (llvm::Error error = expectShape(call, x, expected, "an operand")) return error;
    filled += expected[size_t(axis)];
  }
  if (filled != y[size_t(axis)]) return mistake(call, "its operands do not fill the result");
  return llvm::Error::success();
}

llvm::Error checkTopK(const KernelCall &call) {
  if (llvm::Error error = checkSignature(call)) return error;
  const int64_t k = call.args.attributes.integer("k"), width = call.args.operands[0].shape.back();
  if (k < 0 || k > width) return mistake(call, "k is outside the row");
  if (call.args.results[0].shape.back() != k) return mistake(call, "its results do not have k elements a row");
  return llvm::Error::success();
}

uint64_t cudaScatterWorkspace(const WorkspaceCall &call) {
  return cudaScatterBytes(call.operands[0].elements(), call.results[0].shape[0]);
}

} // namespace autotp

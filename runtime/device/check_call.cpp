#include "runtime/device/check_call.h"

#include "runtime/device/call_checks.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

namespace autotp {
namespace {

llvm::Error checkToBool(const KernelCall &call) {
  if (llvm::Error error = expectDType(call, call.args.results[0], DType::Bool, "the result")) return error;
  return sameShapes(call);
}

llvm::Error checkComparison(const KernelCall &call) {
  const auto &in = call.args.operands;
  if (llvm::Error error = expectDType(call, in[1], in[0].dtype, "the second operand")) return error;
  return expectDType(call, call.args.results[0], DType::Bool, "the result");
}

llvm::Error checkWhere(const KernelCall &call) {
  const auto &in = call.args.operands;
  if (llvm::Error error = expectDType(call, in[0], DType::Bool, "the condition")) return error;
  for (size_t i : {1u, 2u})
    if (llvm::Error error = expectDType(call, in[i], call.args.results[0].dtype, "a choice")) return error;
  return llvm::Error::success();
}

llvm::Error checkMatMul(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  const Shape &a = call.args.operands[0].shape, &b = call.args.operands[1].shape;
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

llvm::Error checkReduce(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  const Shape &x = call.args.operands[0].shape;
  const std::vector<int64_t> axes = call.args.attributes.integers("axes");
  int64_t kept = 1;
  for (size_t i = 0; i < x.size(); ++i)
    if (!llvm::is_contained(axes, int64_t(i))) kept *= x[i];
  for (int64_t axis : axes)
    if (axis < 0 || axis >= int64_t(x.size())) return mistake(call, "an axis is outside the operand's dimensions");
  return expectElements(call, call.args.results[0], kept, "the result");
}

llvm::Error checkCumSum(const KernelCall &call) {
  if (call.args.operands[0].shape.empty()) return mistake(call, "its operand is a scalar");
  return checkSame(call);
}

llvm::Error checkTopK(const KernelCall &call) {
  const TensorArg &x = call.args.operands[0], &values = call.args.results[0], &indices = call.args.results[1];
  const int64_t k = call.args.attributes.integer("k");
  if (x.shape.empty()) return mistake(call, "its operand is a scalar");
  if (k < 0 || k > x.shape.back()) return mistake(call, "k is outside the row");
  Shape chosen = x.shape;
  chosen.back() = k;
  if (llvm::Error error = expectDType(call, values, x.dtype, "the values")) return error;
  if (llvm::Error error = expectDType(call, indices, DType::I64, "the indices")) return error;
  if (llvm::Error error = expectShape(call, values, chosen, "the values")) return error;
  return expectShape(call, indices, chosen, "the indices");
}

llvm::Error checkCopy(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  return expectElements(call, call.args.results[0], call.args.operands[0].elements(), "the result");
}

llvm::Error checkTranspose(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  const Shape &x = call.args.operands[0].shape;
  const std::vector<int64_t> perm = call.args.attributes.integers("perm");
  std::vector<int64_t> sorted = perm;
  llvm::sort(sorted);
  if (sorted.size() != x.size()) return mistake(call, "perm is no permutation");
  Shape expected;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != int64_t(i)) return mistake(call, "perm is no permutation");
    expected.push_back(x[size_t(perm[i])]);
  }
  return expectShape(call, call.args.results[0], expected, "the result");
}

llvm::Error checkSlice(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const KernelAttributes &a = call.args.attributes;
  const int64_t axis = a.integer("axis");
  if (axis < 0 || axis >= int64_t(x.shape.size())) return mistake(call, "axis is outside the operand's dimensions");
  Shape expected = x.shape;
  if (y.shape.size() == x.shape.size()) expected[size_t(axis)] = y.shape[size_t(axis)];
  if (llvm::Error error = expectShape(call, y, expected, "the result")) return error;
  const int64_t length = expected[size_t(axis)], size = x.shape[size_t(axis)], start = a.integer("start");
  const int64_t last = start + (length - 1) * a.integer("step", 1);
  if (length > 0 && (start < 0 || start >= size || last < 0 || last >= size))
    return mistake(call, "reaches outside its operand");
  return llvm::Error::success();
}

llvm::Error checkConcat(const KernelCall &call) {
  if (llvm::Error error = expectCounts(call, 1, SIZE_MAX, 1)) return error;
  if (llvm::Error error = sameDTypes(call)) return error;
  const Shape &y = call.args.results[0].shape;
  const int64_t axis = call.args.attributes.integer("axis");
  if (axis < 0 || axis >= int64_t(y.size())) return mistake(call, "axis is outside the result's dimensions");
  int64_t filled = 0;
  for (const TensorArg &x : call.args.operands) {
    Shape expected = y;
    if (x.shape.size() == y.size()) expected[size_t(axis)] = x.shape[size_t(axis)];
    if (llvm::Error error = expectShape(call, x, expected, "an operand")) return error;
    filled += expected[size_t(axis)];
  }
  if (filled != y[size_t(axis)]) return mistake(call, "its operands do not fill the result");
  return llvm::Error::success();
}

/// Gather and ScatterAdd: the rows are ids.shape + table.shape[1:].
llvm::Error checkLookup(const KernelCall &call) {
  const bool gather = call.kernel == KernelId::Gather;
  const auto &in = call.args.operands;
  const TensorArg &result = call.args.results[0];
  const TensorArg &table = gather ? in[0] : result, &ids = in[gather ? 1 : 0], &rows = gather ? result : in[1];
  if (table.shape.empty()) return mistake(call, "its table is a scalar");
  if (ids.dtype != DType::I64 && ids.dtype != DType::I32)
    return mistake(call, "the ids are " + nameOf(ids.dtype) + ", expected i64 or i32");
  if (llvm::Error error = expectDType(call, rows, table.dtype, "the rows")) return error;
  Shape expected = ids.shape;
  expected.insert(expected.end(), table.shape.begin() + 1, table.shape.end());
  return expectShape(call, rows, expected, "the rows");
}

/// GatherElements and ScatterElements: ids and what they choose are alike, and the rows but for their last dimension.
llvm::Error checkElements(const KernelCall &call) {
  const bool gather = call.kernel == KernelId::GatherElements;
  const auto &in = call.args.operands;
  const TensorArg &result = call.args.results[0];
  const TensorArg &rows = gather ? in[0] : result, &ids = in[gather ? 1 : 0], &chosen = gather ? result : in[1];
  if (rows.shape.empty() || ids.shape.empty()) return mistake(call, "its operand is a scalar");
  if (ids.dtype != DType::I64 && ids.dtype != DType::I32)
    return mistake(call, "the ids are " + nameOf(ids.dtype) + ", expected i64 or i32");
  if (llvm::Error error = expectDType(call, chosen, rows.dtype, "what is chosen")) return error;
  Shape expected = rows.shape;
  expected.back() = ids.shape.back();
  if (llvm::Error error = expectShape(call, ids, expected, "the ids")) return error;
  return expectShape(call, chosen, expected, "what is chosen");
}

CallCheck checkOf(KernelId kernel) {
  auto isAmong = [&](KernelId first, KernelId last) { return kernel >= first && kernel <= last; };
  switch (kernel) {
  case KernelId::MatMul:
  case KernelId::MatMulBias:
  case KernelId::MatMulBiasGelu:
  case KernelId::MatMulGeluGrad:
    return checkMatMul;
  case KernelId::IsNan:
  case KernelId::Not:
    return checkToBool;
  case KernelId::Cast:
    return sameShapes;
  case KernelId::Sign:
  case KernelId::WrapIndex:
    return checkSame;
  case KernelId::Where:
    return checkWhere;
  case KernelId::ReduceSum:
  case KernelId::ReduceMax:
    return checkReduce;
  case KernelId::CumSum:
    return checkCumSum;
  case KernelId::Copy:
    return checkCopy;
  case KernelId::Transpose:
    return checkTranspose;
  case KernelId::Expand:
    return sameDTypes;
  case KernelId::Slice:
    return checkSlice;
  case KernelId::Concat:
    return checkConcat;
  case KernelId::Gather:
  case KernelId::ScatterAdd:
    return checkLookup;
  case KernelId::GatherElements:
  case KernelId::ScatterElements:
    return checkElements;
  case KernelId::TopK:
    return checkTopK;
  default:
    break;
  }
  if (isAmong(KernelId::Neg, KernelId::Gelu)) return checkSame;
  if (isAmong(KernelId::Add, KernelId::Min)) return sameDTypes;
  if (isAmong(KernelId::Equal, KernelId::Or)) return checkComparison;
  if (isAmong(KernelId::ReluGrad, KernelId::SwigluGrad)) return checkSame;
  if (CallCheck check = rowCheckOf(kernel)) return check;
  return optimizerCheckOf(kernel);
}

} // namespace

/// All operands and results have the dtype of the first operand.
llvm::Error sameDTypes(const KernelCall &call) {
  const DType dtype = call.args.operands[0].dtype;
  for (const auto *list : {&call.args.operands, &call.args.results})
    for (const TensorArg &tensor : *list)
      if (llvm::Error error = expectDType(call, tensor, dtype, "an operand or result")) return error;
  return llvm::Error::success();
}

/// All operands and results have the shape of the first operand.
llvm::Error sameShapes(const KernelCall &call) {
  const Shape &shape = call.args.operands[0].shape;
  for (const auto *list : {&call.args.operands, &call.args.results})
    for (const TensorArg &tensor : *list)
      if (llvm::Error error = expectShape(call, tensor, shape, "an operand or result")) return error;
  return llvm::Error::success();
}

llvm::Error checkSame(const KernelCall &call) {
  if (llvm::Error error = sameDTypes(call)) return error;
  return sameShapes(call);
}

llvm::Error checkCall(const KernelCall &call) {
  if (const int operands = operandsOf(call.kernel); operands >= 0)
    if (llvm::Error error = expectCounts(call, size_t(operands), size_t(operands), size_t(resultsOf(call.kernel))))
      return error;
  const CallCheck check = checkOf(call.kernel);
  return check ? check(call) : llvm::Error::success();
}

RowSizes rowsOf(const TensorArg &tensor) {
  const int64_t width = tensor.shape.back();
  return {width ? tensor.elements() / width : 0, width};
}

ProductSizes productSizes(const KernelCall &call) {
  const Shape &a = call.args.operands[0].shape, &b = call.args.operands[1].shape;
  const bool transA = call.args.attributes.integer("trans_a"), transB = call.args.attributes.integer("trans_b");
  return {a[a.size() - (transA ? 1 : 2)], b[b.size() - (transB ? 2 : 1)], a[a.size() - (transA ? 2 : 1)]};
}

std::vector<int64_t> productShape(const KernelCall &call) {
  const Shape &a = call.args.operands[0].shape, &b = call.args.operands[1].shape;
  const ProductSizes z = productSizes(call);
  Shape shape(std::max(a.size(), b.size()), 1);
  for (const Shape *side : {&a, &b})
    for (size_t d = 0; d + 2 < side->size(); ++d) {
      int64_t &size = shape[shape.size() - side->size() + d];
      if (size == 1) size = (*side)[d];
    }
  shape[shape.size() - 2] = z.m;
  shape[shape.size() - 1] = z.n;
  return shape;
}

AttentionSizes attentionSizes(const KernelCall &call) {
  const Shape &q = call.args.operands[0].shape, &k = call.args.operands[1].shape, &v = call.args.operands[2].shape;
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

} // namespace autotp

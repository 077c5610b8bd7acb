/// \file Several of our nodes for one of ONNX, written as a formula.
#pragma once

#include "compiler/onnx/import_table.h"

namespace autotp {

/// Remembers the first error; what is built from a missing value (kNone) is missing too. finish() must be asked.
class Formula {
public:
  explicit Formula(NodeImport &node) : node_(node) {}
  ~Formula() { llvm::consumeError(std::move(error_)); }
  Formula(const Formula &) = delete;
  Formula &operator=(const Formula &) = delete;

  ValueId operator()(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, Attributes attributes = {},
                     llvm::ArrayRef<Type> stated = {}) {
    if (isBroken(operands)) return kNone;
    return taken(node_.make(op, operands, std::move(attributes), stated));
  }
  ValueId reshape(ValueId x, llvm::ArrayRef<int64_t> shape) {
    return isBroken(x) ? kNone : taken(node_.reshape(x, shape));
  }
  ValueId transpose(ValueId x, llvm::SmallVector<int64_t, 6> perm) {
    if (llvm::is_sorted(perm)) return x;
    return (*this)("transpose", {x}, {{"perm", std::move(perm)}});
  }
  ValueId expand(ValueId x, llvm::ArrayRef<int64_t> shape) {
    Type type{typeOf(x).dtype, Shape(shape.begin(), shape.end())};
    return typeOf(x) == type ? x : (*this)("expand", {x}, {}, type);
  }
  ValueId cast(ValueId x, DType dtype) {
    return typeOf(x).dtype == dtype ? x : (*this)("cast", {x}, {}, Type{dtype, typeOf(x).shape});
  }
  ValueId slice(ValueId x, int64_t axis, int64_t start, int64_t length, int64_t step = 1) {
    return isBroken(x) ? kNone : taken(node_.slice(x, axis, start, length, step));
  }
  /// Along one dimension, which stays with size 1.
  ValueId reduced(llvm::StringRef op, ValueId x, llvm::SmallVector<int64_t, 6> axes) {
    return (*this)(op, {x}, {{"axes", std::move(axes)}, {"keepdims", int64_t(1)}});
  }
  /// A constant of x's element type.
  ValueId constant(ValueId x, double value) { return node_.scalar(typeOf(x).dtype, value); }

  /// Of a missing value: a scalar.
  Type typeOf(ValueId x) const { return x == kNone ? Type{DType::F32, {}} : node_.graph().type(x); }
  bool isBroken(llvm::ArrayRef<ValueId> values = {}) const { return isBroken_ || llvm::is_contained(values, kNone); }
  ValueId taken(llvm::Expected<ValueId> made) {
    if (made) return *made;
    isBroken_ = true;
    error_ = llvm::joinErrors(std::move(error_), made.takeError());
    return kNone;
  }
  /// What went wrong so far.
  llvm::Error takeError() { return std::move(error_); }
  /// `value` is the node's next result, unless something went wrong on the way.
  llvm::Error finish(ValueId value) {
    if (!isBroken_) node_.results.push_back(value);
    return std::move(error_);
  }

private:
  NodeImport &node_;
  bool isBroken_ = false;
  llvm::Error error_ = llvm::Error::success();
};

/// The same dimensions with `axis` and the last one exchanged.
llvm::SmallVector<int64_t, 6> lastSwapped(size_t rank, int64_t axis);
/// 0, 1, .. below `count`.
llvm::SmallVector<int64_t, 6> countingUp(size_t count);
/// The dimensions that a reduction runs over: an attribute or an operand; none means all, or nothing where the node says
/// so.
llvm::Expected<llvm::SmallVector<int64_t, 6>> reducedAxes(NodeImport &node);
/// Dimension `axis` at constant indices in a row: a slice where they are consecutive.
ValueId chosenAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, llvm::ArrayRef<double> indices);
/// A dimension of `x` with constants before and after it; negative lengths cut.
llvm::Expected<ValueId> padded(NodeImport &node, ValueId x, int64_t axis, int64_t before, int64_t after, double value);
/// Values side by side along a dimension; `stacked` adds that dimension.
ValueId joined(Formula &f, llvm::ArrayRef<ValueId> parts, int64_t axis);
ValueId stacked(Formula &f, llvm::ArrayRef<ValueId> parts, int64_t axis);
/// The logarithm of the softmax over the last dimension.
ValueId logSoftmax(Formula &f, ValueId x);

} // namespace autotp

/// \file Writes one node of ONNX as a formula of several of ours.
#pragma once

#include "compiler/onnx/import_table.h"

namespace autotp {

/// Keeps the first error. A value that is built from a missing one (kNone) is missing too. finish() or takeError() must
/// be called, since the destructor drops errors.
class Formula {
public:
  explicit Formula(NodeImport &node) : node_(node) {}
  ~Formula() { llvm::consumeError(std::move(error_)); }
  Formula(const Formula &) = delete;
  Formula &operator=(const Formula &) = delete;

  /// Each of these functions adds one of our nodes and returns its result. They return an operand itself if the node
  /// would do nothing, and kNone after an error.
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
  /// Reduces along `axes`, which are kept with size 1.
  ValueId reduced(llvm::StringRef op, ValueId x, llvm::SmallVector<int64_t, 6> axes) {
    return (*this)(op, {x}, {{"axes", std::move(axes)}, {"keepdims", int64_t(1)}});
  }
  /// A constant of x's element type.
  ValueId constant(ValueId x, double value) { return node_.scalar(typeOf(x).dtype, value); }

  /// The type of x; of a missing value, that of an f32 scalar.
  Type typeOf(ValueId x) const { return x == kNone ? Type{DType::F32, {}} : node_.graph().type(x); }
  bool isBroken(llvm::ArrayRef<ValueId> values = {}) const { return isBroken_ || llvm::is_contained(values, kNone); }
  /// The value, or kNone after noting the error.
  ValueId taken(llvm::Expected<ValueId> made) {
    if (made) return *made;
    isBroken_ = true;
    error_ = llvm::joinErrors(std::move(error_), made.takeError());
    return kNone;
  }
  /// The errors so far.
  llvm::Error takeError() { return std::move(error_); }
  /// Adds `value` as the node's next result, unless there was an error.
  llvm::Error finish(ValueId value) {
    if (!isBroken_) node_.results.push_back(value);
    return std::move(error_);
  }

private:
  NodeImport &node_;
  bool isBroken_ = false;
  llvm::Error error_ = llvm::Error::success();
};

/// The dimensions 0 .. rank - 1 with `axis` and the last one exchanged.
llvm::SmallVector<int64_t, 6> lastSwapped(size_t rank, int64_t axis);
/// The numbers 0 .. count - 1.
llvm::SmallVector<int64_t, 6> countingUp(size_t count);
/// The dimensions over which a reduction runs, from an attribute or an operand. If none are given, all dimensions, or
/// none if the node says so (noop_with_empty_axes).
llvm::Expected<llvm::SmallVector<int64_t, 6>> reducedAxes(NodeImport &node);
/// Elements of dimension `axis` at a row of constant indices. Consecutive indices give a slice.
ValueId chosenAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, llvm::ArrayRef<double> indices);
/// `x` with constants before and behind a dimension; a negative length removes elements.
llvm::Expected<ValueId> padded(NodeImport &node, ValueId x, int64_t axis, int64_t before, int64_t after, double value);
/// joined() concatenates values along a dimension; stacked() adds that dimension.
ValueId joined(Formula &f, llvm::ArrayRef<ValueId> parts, int64_t axis);
ValueId stacked(Formula &f, llvm::ArrayRef<ValueId> parts, int64_t axis);
/// The logarithm of the softmax over the last dimension.
ValueId logSoftmax(Formula &f, ValueId x);

} // namespace autotp

/// \file Types and constant tensors of the IR.
#pragma once

#include "runtime/plan/dtype.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

using Shape = llvm::SmallVector<int64_t, 6>;

int64_t elementsOf(llvm::ArrayRef<int64_t> shape);

struct Type {
  DType dtype = DType::F32;
  Shape shape;

  bool operator==(const Type &other) const { return dtype == other.dtype && shape == other.shape; }
  int64_t elements() const { return elementsOf(shape); }
  uint64_t bytes() const { return uint64_t(elements()) * sizeOf(dtype); }
  /// The type as text, such as "f32[4,8]".
  std::string text() const;
};

/// Dense row-major contents. The bytes are shared and never change; `owner` (a buffer, a mapped file) keeps them alive.
struct Tensor {
  Type type;
  llvm::ArrayRef<uint8_t> bytes;
  std::shared_ptr<const void> owner;
};

/// A tensor whose elements are doubles, whatever its dtype; the reference evaluator computes with it. Integers are
/// exact up to 2^53 and saturate at the ends of int64; roundToType() rounds elements of narrower dtypes.
struct Array {
  Type type;
  std::vector<double> data;

  Array() = default;
  explicit Array(Type t) : type(std::move(t)), data(size_t(type.elements()), 0.0) {}
};

/// Rounds every element to a value that its dtype can hold.
void roundToType(Array &array);
/// Converts the contents to doubles and back. toTensor rounds and saturates to the dtype, with NaN as 0 in integers.
Array toArray(const Tensor &tensor);
Tensor toTensor(const Array &array);
/// A tensor that owns `bytes`.
Tensor ownedTensor(Type type, std::vector<uint8_t> bytes);
/// An i64 tensor of 0, 1, .. in row-major order.
Tensor countingTensor(llvm::ArrayRef<int64_t> shape);
Tensor integerTensor(llvm::ArrayRef<int64_t> values);
/// A tensor with the same value in all elements.
Tensor filledTensor(const Type &type, double value);
Tensor scalarTensor(DType dtype, double value);

/// Row-major strides, in elements.
Shape stridesOf(llvm::ArrayRef<int64_t> shape);

} // namespace autotp

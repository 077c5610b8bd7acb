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
  /// "f32[4,8]"
  std::string text() const;
};

/// Dense row-major contents. The bytes are shared and never change; `owner` keeps them alive (a buffer, a mapped file).
struct Tensor {
  Type type;
  llvm::ArrayRef<uint8_t> bytes;
  std::shared_ptr<const void> owner;
};

/// A tensor of doubles, whatever its dtype: what the reference evaluator computes with. Integers are exact to 2^53 and
/// saturate at the ends of int64; values of a narrower dtype are rounded to it by roundTo().
struct Array {
  Type type;
  std::vector<double> data;

  Array() = default;
  explicit Array(Type t) : type(std::move(t)), data(size_t(type.elements()), 0.0) {}
};

/// Rounds every element to what its dtype can hold.
void roundToType(Array &array);
Array toArray(const Tensor &tensor);
Tensor toTensor(const Array &array);
/// A tensor of this type over bytes of its own.
Tensor ownedTensor(Type type, std::vector<uint8_t> bytes);
/// i64: 0, 1, .. in row-major order.
Tensor countingTensor(llvm::ArrayRef<int64_t> shape);
Tensor integerTensor(llvm::ArrayRef<int64_t> values);
/// The same value throughout.
Tensor filledTensor(const Type &type, double value);
Tensor scalarTensor(DType dtype, double value);

/// Row-major strides, in elements.
Shape stridesOf(llvm::ArrayRef<int64_t> shape);

} // namespace autotp

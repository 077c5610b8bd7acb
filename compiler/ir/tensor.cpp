#include "compiler/ir/tensor.h"

#include "runtime/base/small_floats.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace autotp {

int64_t elementsOf(llvm::ArrayRef<int64_t> shape) {
  int64_t n = 1;
  for (int64_t d : shape)
    n *= d;
  return n;
}

std::string Type::text() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << nameOf(dtype) << "[";
  llvm::interleave(shape, os, ",");
  os << "]";
  return os.str();
}

Shape stridesOf(llvm::ArrayRef<int64_t> shape) {
  Shape strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * shape[d];
  return strides;
}

namespace {

template <typename T> T saturated(double value) {
  if (std::isnan(value)) return 0;
  if (value >= double(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  if (value <= double(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return T(value);
}

template <typename T> T loadAs(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

double load(DType dtype, const uint8_t *at) {
  switch (dtype) {
  case DType::F32:
    return loadAs<float>(at);
  case DType::F64:
    return loadAs<double>(at);
  case DType::BF16:
    return bf16ToFloat(loadAs<uint16_t>(at));
  case DType::F16:
    return halfToDouble(loadAs<uint16_t>(at));
  case DType::I64:
    return double(loadAs<int64_t>(at));
  case DType::I32:
    return loadAs<int32_t>(at);
  case DType::Bool:
  case DType::U8:
    return *at;
  }
  return 0;
}

template <typename T> void storeAs(T value, uint8_t *at) { std::memcpy(at, &value, sizeof(T)); }

void store(DType dtype, double value, uint8_t *at) {
  switch (dtype) {
  case DType::F32:
    return storeAs(float(value), at);
  case DType::F64:
    return storeAs(value, at);
  case DType::BF16:
    return storeAs(floatToBf16(float(value)), at);
  case DType::F16:
    return storeAs(doubleToHalf(value), at);
  case DType::I64:
    return storeAs(saturated<int64_t>(value), at);
  case DType::I32:
    return storeAs(saturated<int32_t>(value), at);
  case DType::Bool:
    return storeAs(uint8_t(value != 0), at);
  case DType::U8:
    return storeAs(saturated<uint8_t>(value), at);
  }
}

} // namespace

void roundToType(Array &array) {
  if (array.type.dtype == DType::F64) return;
  uint8_t bytes[8];
  for (double &value : array.data) {
    store(array.type.dtype, value, bytes);
    value = load(array.type.dtype, bytes);
  }
}

Array toArray(const Tensor &tensor) {
  Array array(tensor.type);
  size_t size = sizeOf(tensor.type.dtype);
  for (size_t i = 0; i < array.data.size(); ++i)
    array.data[i] = load(tensor.type.dtype, tensor.bytes.data() + i * size);
  return array;
}

Tensor toTensor(const Array &array) {
  size_t size = sizeOf(array.type.dtype);
  std::vector<uint8_t> bytes(array.data.size() * size);
  for (size_t i = 0; i < array.data.size(); ++i)
    store(array.type.dtype, array.data[i], bytes.data() + i * size);
  return ownedTensor(array.type, std::move(bytes));
}

Tensor ownedTensor(Type type, std::vector<uint8_t> bytes) {
  auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  return Tensor{std::move(type), llvm::ArrayRef<uint8_t>(*owner), owner};
}

Tensor countingTensor(llvm::ArrayRef<int64_t> shape) {
  Array numbers(Type{DType::I64, Shape(shape.begin(), shape.end())});
  std::iota(numbers.data.begin(), numbers.data.end(), 0.0);
  return toTensor(numbers);
}

Tensor integerTensor(llvm::ArrayRef<int64_t> values) {
  std::vector<uint8_t> bytes(values.size() * 8);
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return ownedTensor(Type{DType::I64, {int64_t(values.size())}}, std::move(bytes));
}

Tensor filledTensor(const Type &type, double value) {
  size_t size = sizeOf(type.dtype);
  std::vector<uint8_t> bytes(type.bytes());
  for (size_t at = 0; at < bytes.size(); at += size)
    store(type.dtype, value, bytes.data() + at);
  return ownedTensor(type, std::move(bytes));
}

Tensor scalarTensor(DType dtype, double value) { return filledTensor(Type{dtype, {}}, value); }

} // namespace autotp

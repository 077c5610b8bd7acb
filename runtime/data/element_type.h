/// \file Types of the numbers in data files: those of numpy's arrays and of files of tokens. Bytes are little-endian.
#pragma once

#include "runtime/base/small_floats.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace autotp {

enum class ElementKind : uint8_t { Bool, Signed, Unsigned, Float };

struct ElementType {
  ElementKind kind = ElementKind::Unsigned;
  uint8_t bytes = 1;
  bool isWhole() const { return kind != ElementKind::Float; }
  bool operator==(const ElementType &) const = default;
};

/// A float of 16 bits as it lies in memory.
struct HalfBits {
  uint16_t bits = 0;
  explicit operator double() const { return halfToDouble(bits); }
  explicit operator int64_t() const { return int64_t(halfToDouble(bits)); }
};

/// Calls `visit` with a zero of the C++ type that lies in memory: visitElement(type, [&](auto zero) { ... }).
template <typename Visit> auto visitElement(ElementType type, Visit visit) {
  switch (type.kind) {
  case ElementKind::Float:
    if (type.bytes == 2) return visit(HalfBits{});
    return type.bytes == 4 ? visit(float(0)) : visit(double(0));
  case ElementKind::Signed:
    if (type.bytes == 1) return visit(int8_t(0));
    if (type.bytes == 2) return visit(int16_t(0));
    return type.bytes == 4 ? visit(int32_t(0)) : visit(int64_t(0));
  default: // a bool is a byte of 0 or 1
    if (type.bytes == 1) return visit(uint8_t(0));
    if (type.bytes == 2) return visit(uint16_t(0));
    return type.bytes == 4 ? visit(uint32_t(0)) : visit(uint64_t(0));
  }
}

/// Element `index` of those that begin at `data`, which need not be aligned.
template <typename T> T loadElement(const void *data, size_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T), sizeof(T));
  return value;
}

} // namespace autotp

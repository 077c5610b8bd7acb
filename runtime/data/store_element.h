/// \file Numbers as an input's elements.
#pragma once

#include "runtime/base/small_floats.h"
#include "runtime/plan/dtype.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace autotp {

/// Writes a number in the type of an input. It must fit.
template <typename T> void storeElement(DType dtype, T value, std::byte *at) {
  auto as = [&](auto typed) { std::memcpy(at, &typed, sizeof typed); };
  switch (dtype) {
  case DType::F32:
    return as(float(double(value)));
  case DType::F64:
    return as(double(value));
  case DType::F16:
    return as(doubleToHalf(double(value)));
  case DType::BF16:
    return as(floatToBf16(float(double(value))));
  case DType::I64:
    return as(int64_t(value));
  case DType::I32:
    return as(int32_t(int64_t(value)));
  case DType::U8:
    return as(uint8_t(int64_t(value)));
  case DType::Bool:
    return as(uint8_t(double(value) != 0));
  }
}

} // namespace autotp

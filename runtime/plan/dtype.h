/// \file Element types, as plans store them (the numbers are part of the plan format: append only).
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace autotp {

enum class DType : uint8_t { F32 = 1, F64 = 2, BF16 = 3, F16 = 4, I64 = 5, I32 = 6, Bool = 7, U8 = 8 };

constexpr size_t sizeOf(DType dtype) {
  switch (dtype) {
  case DType::F64:
  case DType::I64:
    return 8;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::BF16:
  case DType::F16:
    return 2;
  case DType::Bool:
  case DType::U8:
    return 1;
  }
  return 0;
}
constexpr bool isFloat(DType d) { return d == DType::F32 || d == DType::F64 || d == DType::BF16 || d == DType::F16; }
/// Those that an operator may compute with in f32.
constexpr bool isSmallFloat(DType d) { return d == DType::BF16 || d == DType::F16; }

/// "f32", "i64", "bool", ...: the spelling of IR text, plans and messages.
llvm::StringRef nameOf(DType dtype);
std::optional<DType> dtypeNamed(llvm::StringRef name);

} // namespace autotp

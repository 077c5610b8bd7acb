/// \file Elements as words of their size, for kernels that only move them.
#pragma once

#include "runtime/plan/dtype.h"

#include <cstdint>

namespace autotp {

/// start(Word(0)), of an unsigned type as wide as `dtype`.
template <typename Start> auto withWord(DType dtype, Start start) {
  switch (sizeOf(dtype)) {
  case 1:
    return start(uint8_t(0));
  case 2:
    return start(uint16_t(0));
  case 4:
    return start(uint32_t(0));
  default:
    return start(uint64_t(0));
  }
}

} // namespace autotp

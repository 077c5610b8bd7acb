/// \file A matrix the other way round.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <vector>

namespace autotp {

/// The elements of a row-major [rows, columns] as [columns, rows].
inline std::vector<float> transposed(llvm::ArrayRef<float> from, int64_t rows, int64_t columns) {
  std::vector<float> to(from.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[size_t(c * rows + r)] = from[size_t(r * columns + c)];
  return to;
}

} // namespace autotp

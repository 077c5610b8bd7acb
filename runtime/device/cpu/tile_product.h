/// \file Small products inside the attention kernels, on operands that lie in cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace autotp::cpu {

/// A strided left operand: element (i, p) at data[i * row + p * column].
struct Strided {
  const float *data;
  int64_t row, column;
};

/// c[m, n] (row stride ldc) = or += a[m, k] b[k, n] (row stride ldb), where n is a multiple of 16. Tiles of c stay in
/// registers.
void tileProduct(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t n, int64_t k,
                 bool accumulates);

} // namespace autotp::cpu

/// \file Vector loops over one row of f32, shared by the kernels that work row by row.
#pragma once

#include "runtime/device/cpu/vector_math.h"

#include <limits>

namespace autotp::cpu {

/// -infinity for an empty row; ignores NaN.
inline float maximumOf(const float *x, int64_t n) {
  float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
  for (int64_t i = 0; i < n; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

/// sum of exp(x - shift).
inline float sumOfExp(const float *x, int64_t n, float shift) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += expOf(x[i] - shift);
  return total;
}

} // namespace autotp::cpu

/// \file Vector loops over one row of f32, shared by the kernels that work row by row.
#pragma once

#include "runtime/device/cpu/vector_math.h"

#include <limits>

namespace autotp::cpu {

/// -infinity for an empty row; ignores NaN.
inline float maximumOf(const float *x, int64_t n) {
  constexpr int kLanes = 64; // several vectors in flight
  float most = -std::numeric_limits<float>::infinity(), lanes[kLanes];
  for (float &lane : lanes)
    lane = most;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l)
      lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  for (; i < n; ++i)
    most = x[i] > most ? x[i] : most;
  for (float lane : lanes)
    most = lane > most ? lane : most;
  return most;
}

/// sum of exp(x - shift).
inline float sumOfExp(const float *x, int64_t n, float shift) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i)
    total += expOf(x[i] - shift);
  return total;
}

} // namespace autotp::cpu

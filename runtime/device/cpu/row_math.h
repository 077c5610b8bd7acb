/// \file Vector loops over one row of f32, shared by the kernels that work row by row.
#pragma once

#include "runtime/device/cpu/vector_math.h"

#include <limits>

namespace autotp::cpu {

/// -infinity for an empty row; ignores NaN.
inline float maximumOf(const float *x, int64_t n) {
  constexpr int kLanes = 64; // several vectors in flight
  float lanes[kLanes];
  for (float &lane : lanes)
    lane = -std::numeric_limits<float>::infinity();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l)
      lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  for (int64_t l = 0; l < n - i; ++l)
    lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  for (int width = kLanes / 2; width > 0; width /= 2) // one after the other, each maximum would wait for the last
    for (int l = 0; l < width; ++l)
      lanes[l] = lanes[l + width] > lanes[l] ? lanes[l + width] : lanes[l];
  return lanes[0];
}

/// sum of exp(x - shift), where no x is far above the shift.
inline float sumOfExp(const float *x, int64_t n, float shift) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i)
    total += expOfDistance(x[i] - shift);
  return total;
}

} // namespace autotp::cpu

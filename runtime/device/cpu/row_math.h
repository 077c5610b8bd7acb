/// \file Vector loops over one row of f32, shared by the kernels that work row by row.
#pragma once

#include "runtime/device/cpu/vector_math.h"
#include "runtime/device/cpu/vectors.h"

#include <limits>

namespace autotp::cpu {

/// -infinity for an empty row; ignores NaN.
inline float maximumOf(const float *x, int64_t n) {
  constexpr int kChains = 4; // vectors that do not wait for one another
  constexpr Larger kLarger;
  Vector most[kChains];
  for (Vector &chain : most)
    chain = Vector{} - std::numeric_limits<float>::infinity();
  int64_t i = 0;
  for (; i + kChains * kVectorLanes <= n; i += kChains * kVectorLanes)
    for (int c = 0; c < kChains; ++c)
      most[c] = kLarger(loadVector(x + i + c * kVectorLanes), most[c]);
  for (; i + kVectorLanes <= n; i += kVectorLanes)
    most[0] = kLarger(loadVector(x + i), most[0]);
  float largest = foldedLanes(kLarger(kLarger(most[0], most[1]), kLarger(most[2], most[3])), kLarger);
  for (; i < n; ++i)
    largest = kLarger(x[i], largest);
  return largest;
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

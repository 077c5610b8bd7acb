/// \file Vectors of f32 as wide as the registers that a source is compiled for.
#pragma once

#include <cstdint>

namespace autotp::cpu {

#if defined(__AVX512F__)
constexpr int64_t kVectorLanes = 16;
#elif defined(__AVX__)
constexpr int64_t kVectorLanes = 8;
#else
constexpr int64_t kVectorLanes = 4;
#endif
using Vector = float __attribute__((vector_size(kVectorLanes * sizeof(float))));
using UnalignedVector = float __attribute__((vector_size(kVectorLanes * sizeof(float)), aligned(4), may_alias));

inline Vector loadVector(const float *at) { return *reinterpret_cast<const UnalignedVector *>(at); }
inline void storeVector(float *at, Vector v) { *reinterpret_cast<UnalignedVector *>(at) = v; }

struct Larger {
  template <typename T> T operator()(T a, T b) const { return a > b ? a : b; }
};
struct Sum {
  template <typename T> T operator()(T a, T b) const { return a + b; }
};

/// op over the lanes of a vector, by halves in registers: through memory, each half would wait for the last to be stored.
template <typename Op> float foldedLanes(Vector v, Op op) {
  using Eight [[maybe_unused]] = float __attribute__((vector_size(32)));
  using Four = float __attribute__((vector_size(16)));
#if defined(__AVX512F__)
  const Eight low8 = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
              high8 = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), eight = op(low8, high8);
#elif defined(__AVX__)
  const Eight eight = v;
#endif
#if defined(__AVX__)
  const Four low4 = __builtin_shufflevector(eight, eight, 0, 1, 2, 3),
             high4 = __builtin_shufflevector(eight, eight, 4, 5, 6, 7), four = op(low4, high4);
#else
  const Four four = v;
#endif
  const Four upper = __builtin_shufflevector(four, four, 2, 3, 2, 3), two = op(four, upper);
  const float first = two[0], second = two[1];
  return op(first, second);
}

} // namespace autotp::cpu

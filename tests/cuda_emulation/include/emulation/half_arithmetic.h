/// \file The two 16-bit floating types: their bits, rounded to nearest even, and the arithmetic that they share.
#pragma once

#include "emulation/vector_types.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace emulation {

inline unsigned short bfloatBits(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7fff;
  return static_cast<unsigned short>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline float bfloatValue(unsigned short bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

inline unsigned short halfBits(float value) { return std::bit_cast<unsigned short>(static_cast<_Float16>(value)); }
inline float halfValue(unsigned short bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

} // namespace emulation

// Operators take and give the 16-bit type, so that an expression rounds after each step as on a device.
#define EMULATION_HALF_ARITHMETIC(T, T2)                                                                               \
  inline T operator+(T a, T b) { return float(a) + float(b); }                                                         \
  inline T operator-(T a, T b) { return float(a) - float(b); }                                                         \
  inline T operator*(T a, T b) { return float(a) * float(b); }                                                         \
  inline T operator/(T a, T b) { return float(a) / float(b); }                                                         \
  inline T operator-(T a) { return -float(a); }                                                                        \
  inline T &operator+=(T &a, T b) { return a = a + b; }                                                                \
  inline T &operator-=(T &a, T b) { return a = a - b; }                                                                \
  inline T &operator*=(T &a, T b) { return a = a * b; }                                                                \
  inline T &operator/=(T &a, T b) { return a = a / b; }                                                                \
  inline bool operator==(T a, T b) { return float(a) == float(b); }                                                    \
  inline bool operator!=(T a, T b) { return float(a) != float(b); }                                                    \
  inline bool operator<(T a, T b) { return float(a) < float(b); }                                                      \
  inline bool operator>(T a, T b) { return float(a) > float(b); }                                                      \
  inline bool operator<=(T a, T b) { return float(a) <= float(b); }                                                    \
  inline bool operator>=(T a, T b) { return float(a) >= float(b); }                                                    \
  inline T __hadd(T a, T b) { return a + b; }                                                                          \
  inline T __hsub(T a, T b) { return a - b; }                                                                          \
  inline T __hmul(T a, T b) { return a * b; }                                                                          \
  inline T __hdiv(T a, T b) { return a / b; }                                                                          \
  inline T __hneg(T a) { return -a; }                                                                                  \
  inline T __habs(T a) { return std::fabs(float(a)); }                                                                 \
  inline T __hmax(T a, T b) { return std::fmax(float(a), float(b)); }                                                  \
  inline T __hmin(T a, T b) { return std::fmin(float(a), float(b)); }                                                  \
  inline T __hfma(T a, T b, T c) { return std::fma(float(a), float(b), float(c)); }                                    \
  inline bool __hgt(T a, T b) { return a > b; }                                                                        \
  inline bool __hlt(T a, T b) { return a < b; }                                                                        \
  inline bool __hisnan(T a) { return std::isnan(float(a)); }                                                           \
  inline bool __hisinf(T a) { return std::isinf(float(a)); }                                                           \
  inline T2 __hadd2(T2 a, T2 b) { return {a.x + b.x, a.y + b.y}; }                                                     \
  inline T2 __hmul2(T2 a, T2 b) { return {a.x * b.x, a.y * b.y}; }                                                     \
  inline T2 __hfma2(T2 a, T2 b, T2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }

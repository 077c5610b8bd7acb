/// \file Converts bf16 and f16, given as bits, to and from types that hold all of their values. Rounds to nearest, ties
/// to even.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace autotp {

inline float bf16ToFloat(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

inline uint16_t floatToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value)) return uint16_t((bits >> 16) | 0x40);
  bits += 0x7fff + ((bits >> 16) & 1); // rounds to nearest, ties to even
  return uint16_t(bits >> 16);
}

inline double halfToDouble(uint16_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double magnitude = exponent == 31  ? (fraction ? std::nan("") : HUGE_VAL)
                     : exponent == 0 ? std::ldexp(fraction, -24)
                                     : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

inline uint16_t doubleToHalf(double value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < std::ldexp(1, -14)) return sign | uint16_t(std::nearbyint(std::ldexp(magnitude, 24)));
  int exponent;
  double fraction = std::frexp(magnitude, &exponent); // in [0.5, 1)
  int mantissa = int(std::nearbyint(std::ldexp(fraction, 11)));
  if (mantissa == 2048) mantissa = 1024, ++exponent;
  return sign | uint16_t(((exponent + 14) << 10) + (mantissa - 1024));
}

} // namespace autotp

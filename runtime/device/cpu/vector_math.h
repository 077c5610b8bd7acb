/// \file exp, tanh and erf in f32 without branches, so that simd loops keep them in vectors. Within about 2 ulp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace autotp::cpu {

/// a * b + c; rounded once where the processor does that, since a call for it would cost more than all the rest.
inline float fmaOf(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// e^x = 2^whole * mantissa, by Cody-Waite reduction to |r| <= ln(2)/2 and a polynomial of degree 6.
struct ExpParts {
  float mantissa;
  int32_t whole;
};
inline ExpParts expParts(float x) {
  const float shifted = fmaOf(x, 1.44269504f, 12582912.0f); // 1.5 * 2^23: rounds to an integer in the low bits
  const float n = shifted - 12582912.0f;
  float r = fmaOf(n, -0.693359375f, x);
  r = fmaOf(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = fmaOf(p, r, 1.3981999507e-3f);
  p = fmaOf(p, r, 8.3334519073e-3f);
  p = fmaOf(p, r, 4.1665795894e-2f);
  p = fmaOf(p, r, 1.6666665459e-1f);
  p = fmaOf(p, r, 5.0000001201e-1f);
  p = fmaOf(p, r * r, r) + 1.0f;
  return {p, std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f)};
}

/// The scale 2^n is applied in two halves, so that results that overflow or are denormal come out right. NaN stays NaN: the
/// clamps let it pass.
inline float expOf(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const ExpParts e = expParts(x);
  const int32_t half = e.whole >> 1;
  const float low = std::bit_cast<float>((half + 127) << 23), high = std::bit_cast<float>((e.whole - half + 127) << 23);
  return e.mantissa * low * high;
}

/// Of x up to 88, such as the distance to the largest of a row; 0 below -87, where it would be nearly denormal, and so of
/// -infinity. Two thirds of the work of expOf(). NaN stays NaN.
inline float expOfDistance(float x) {
  const ExpParts e = expParts(x);
  const float scaled = e.mantissa * std::bit_cast<float>((e.whole + 127) << 23);
  return x < -87.0f ? 0.0f : scaled;
}

/// Small arguments by the polynomial of Cephes' tanhf, the rest by 1 - 2 / (exp(2x) + 1).
inline float tanhOf(float x) {
  const float a = std::fabs(x), s = x * x;
  float p = -5.70498872745e-3f;
  p = fmaOf(p, s, 2.06390887954e-2f);
  p = fmaOf(p, s, -5.37397155531e-2f);
  p = fmaOf(p, s, 1.33314422036e-1f);
  p = fmaOf(p, s, -3.33332819422e-1f);
  const float small = fmaOf(p * s, x, x);
  const float large = std::copysign(1.0f - 2.0f / (expOf(a + a) + 1.0f), x);
  return a < 0.625f ? small : large;
}

/// Two minimax polynomials, meeting near 0.92 (after N. Juffa): x + x p(x^2), and 1 - exp(-q(|x|)).
inline float erfOf(float x) {
  const float t = std::fabs(x), s = x * x;
  float q = fmaOf(-1.72853470e-5f, t, 3.83197126e-4f);
  q = fmaOf(q, s, fmaOf(-3.88396438e-3f, t, 2.42546219e-2f));
  q = fmaOf(q, t, -1.06777877e-1f);
  q = fmaOf(q, t, -6.34846687e-1f);
  q = fmaOf(q, t, -1.28717512e-1f);
  q = fmaOf(q, t, -t);
  // Past 4 the polynomial is outside its range, and erf is 1 in f32.
  const float tail = t > 4.0f ? 1.0f : 1.0f - expOf(q);
  float p = -5.96761703e-4f;
  p = fmaOf(p, s, 4.99119423e-3f);
  p = fmaOf(p, s, -2.67681349e-2f);
  p = fmaOf(p, s, 1.12819925e-1f);
  p = fmaOf(p, s, -3.76125336e-1f);
  p = fmaOf(p, s, 1.28379166e-1f);
  const float near = fmaOf(p, x, x);
  return t > 0.921875f ? std::copysign(tail, x) : (x != x ? x : near);
}

inline float sigmoidOf(float x) { return 1.0f / (1.0f + expOf(-x)); }

inline double expOf(double x) { return std::exp(x); }
inline double tanhOf(double x) { return std::tanh(x); }
inline double erfOf(double x) { return std::erf(x); }
inline double sigmoidOf(double x) { return 1.0 / (1.0 + std::exp(-x)); }

} // namespace autotp::cpu

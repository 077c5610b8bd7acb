/// \file Logarithm, sine and cosine are series of our own: libraries have other last bits on other processors, and take one
/// number at a time. They are right to some 1e-15, and the loops over them become vectors.
#include "runtime/base/normal_numbers.h"

#include "runtime/base/philox.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>

namespace autotp {
namespace {

constexpr double kTwoTo52 = 4503599627370496.0;

/// An integer below 2^52, by its place in a double's fraction: processors convert no vectors of 64-bit integers.
inline double asDouble(uint64_t small) {
  return std::bit_cast<double>(small | std::bit_cast<uint64_t>(kTwoTo52)) - kTwoTo52;
}

/// c[0] + c[1] t + c[2] t^2 ...
template <size_t N> inline double polynomial(const std::array<double, N> &c, double t) {
  double sum = c[N - 1];
  for (size_t k = N - 1; k-- > 0;)
    sum = sum * t + c[k];
  return sum;
}

/// 1, 1/3, 1/5 ..: of atanh(s) / s in s^2.
constexpr auto kInverseTangent = [] {
  std::array<double, 10> c{};
  for (size_t k = 0; k < c.size(); ++k)
    c[k] = 1.0 / double(2 * k + 1);
  return c;
}();
/// 1, -1/(2 3), 1/(2 3 4 5) ..: of sin(a) / a in a^2; with `first` 0, those of cos(a).
constexpr auto factorials(int first) {
  std::array<double, 9> c{1};
  for (size_t k = 1; k < c.size(); ++k)
    c[k] = -c[k - 1] / double((2 * int(k) + first - 1) * (2 * int(k) + first));
  return c;
}
constexpr auto kSine = factorials(1), kCosine = factorials(0);

/// Of 0 < x < 1: x = 2^e m with m around 1, whose logarithm is 2 atanh((m - 1) / (m + 1)).
inline double logarithm(double x) {
  constexpr uint64_t kFraction = (uint64_t(1) << 52) - 1, kOne = uint64_t(1023) << 52;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const double whole = std::bit_cast<double>((bits & kFraction) | kOne);
  const bool isLarge = whole > std::numbers::sqrt2;
  const double m = isLarge ? 0.5 * whole : whole, e = asDouble(bits >> 52) - (isLarge ? 1022.0 : 1023.0);
  const double s = (m - 1) / (m + 1); // |s| < 0.172
  return e * std::numbers::ln2 + 2 * s * polynomial(kInverseTangent, s * s);
}

constexpr size_t kBlocks = 64; ///< at a time
constexpr size_t kPairs = 2 * kBlocks;

/// Pair i has the radius of radii[i], and as its angle (turns[i] + 1/2) / 2^32 of a full turn: the quarter of the turn, and at
/// most 45 degrees around the middle of that quarter.
void makePairs(const uint32_t *radii, const uint32_t *turns, size_t pairs, double *normals) {
  double cosines[kPairs], sines[kPairs];
  for (size_t i = 0; i < pairs; ++i) {
    const double share = (asDouble(turns[i] & 0x3fffffffu) + 0.5) / 1073741824.0 - 0.5;
    const double a = share * (std::numbers::pi / 2), t = a * a;
    const double sine = a * polynomial(kSine, t), cosine = polynomial(kCosine, t);
    cosines[i] = (cosine - sine) * (0.5 * std::numbers::sqrt2); // turned by 45 degrees
    sines[i] = (cosine + sine) * (0.5 * std::numbers::sqrt2);
  }
  for (size_t i = 0; i < pairs; ++i) {
    const double radius = std::sqrt(-2 * logarithm((asDouble(radii[i]) + 0.5) / 4294967296.0));
    cosines[i] *= radius;
    sines[i] *= radius;
  }
  for (size_t i = 0; i < pairs; ++i) { // turned by whole quarters
    const uint32_t quarter = turns[i] >> 30;
    const double x = quarter & 1 ? -sines[i] : cosines[i], y = quarter & 1 ? cosines[i] : sines[i];
    normals[2 * i] = quarter & 2 ? -x : x;
    normals[2 * i + 1] = quarter & 2 ? -y : y;
  }
}

/// The numbers of blocks from `first` on.
void normalsOf(uint64_t key, uint64_t stream, uint64_t first, size_t blocks, double *normals) {
  uint32_t radii[kPairs], turns[kPairs];
  for (size_t b = 0; b < blocks; ++b) {
    const PhiloxWords bits = philox(key, first + b, stream);
    radii[2 * b] = bits.c0;
    turns[2 * b] = bits.c1;
    radii[2 * b + 1] = bits.c2;
    turns[2 * b + 1] = bits.c3;
  }
  makePairs(radii, turns, 2 * blocks, normals);
}

} // namespace

double philoxNormal(uint64_t key, uint64_t stream, uint64_t index) {
  double normals[4];
  normalsOf(key, stream, index / 4, 1, normals);
  return normals[index % 4];
}

void drawNormals(std::span<float> values, uint64_t key, uint64_t stream, uint64_t first, double mean,
                 double deviation) {
  double normals[4 * kBlocks];
  for (size_t i = 0; i < values.size();) {
    const uint64_t skipped = (first + i) % 4;
    const size_t blocks = std::min(kBlocks, size_t(skipped + values.size() - i + 3) / 4);
    normalsOf(key, stream, (first + i) / 4, blocks, normals);
    const size_t count = std::min(4 * blocks - skipped, values.size() - i);
    for (size_t k = 0; k < count; ++k)
      values[i + k] = float(mean + deviation * normals[skipped + k]);
    i += count;
  }
}

} // namespace autotp

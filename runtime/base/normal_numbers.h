/// \file Normal numbers that depend on a key, a stream and an element's index alone.
#pragma once

#include "runtime/base/philox.h"

#include <array>
#include <cmath>
#include <numbers>
#include <span>

namespace autotp {

/// Standard normal numbers for elements 4 * `block` to 4 * `block` + 3 of stream `stream`: two pairs of Box and Muller
/// (1958) from one block of Philox.
inline std::array<double, 4> philoxNormals(uint64_t key, uint64_t stream, uint64_t block) {
  const PhiloxWords bits = philox(key, block, stream);
  auto uniform = [&](int i) { return (double(bits[i]) + 0.5) / 4294967296.0; };
  std::array<double, 4> normals;
  for (int i = 0; i < 4; i += 2) {
    const double radius = std::sqrt(-2 * std::log(uniform(i))), angle = 2 * std::numbers::pi * uniform(i + 1);
    normals[size_t(i)] = radius * std::cos(angle);
    normals[size_t(i) + 1] = radius * std::sin(angle);
  }
  return normals;
}

/// The number of element `index` alone.
inline double philoxNormal(uint64_t key, uint64_t stream, uint64_t index) {
  return philoxNormals(key, stream, index / 4)[index % 4];
}

/// values[i] = mean + deviation * philoxNormal(key, stream, `first` + i), with every number of a block used.
inline void drawNormals(std::span<float> values, uint64_t key, uint64_t stream, uint64_t first, double mean,
                        double deviation) {
  for (size_t i = 0; i < values.size();) {
    const std::array<double, 4> normals = philoxNormals(key, stream, (first + i) / 4);
    for (uint64_t place = (first + i) % 4; place < 4 && i < values.size(); ++place)
      values[i++] = float(mean + deviation * normals[place]);
  }
}

} // namespace autotp

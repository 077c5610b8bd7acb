/// \file Philox4x32-10, a counter-based generator (Salmon et al. 2011): the same numbers for the same key and counter,
/// whoever asks for them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace autotp {

inline std::array<uint32_t, 4> philox(uint64_t key, uint64_t counterLow, uint64_t counterHigh) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  std::array<uint32_t, 4> c = {uint32_t(counterLow), uint32_t(counterLow >> 32), uint32_t(counterHigh),
                               uint32_t(counterHigh >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * c[0], b = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k1, uint32_t(a)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// A standard normal number (Box and Muller 1958) for element `index` of stream `stream`.
inline double philoxNormal(uint64_t key, uint64_t stream, uint64_t index) {
  std::array<uint32_t, 4> bits = philox(key, index, stream);
  double u = (double(bits[0]) + 0.5) / 4294967296.0, v = (double(bits[1]) + 0.5) / 4294967296.0;
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
}

} // namespace autotp

/// \file Philox4x32-10, a counter-based random number generator (Salmon et al. 2011). The same key and counter give the
/// same numbers on any rank and any device.
#pragma once

#include "runtime/base/host_device.h"

#include <cstdint>

namespace autotp {

struct PhiloxWords {
  uint32_t c0, c1, c2, c3;
  bool operator==(const PhiloxWords &) const = default;
  AUTOTP_HOST_DEVICE uint32_t operator[](int i) const { return i < 2 ? (i == 0 ? c0 : c1) : (i == 2 ? c2 : c3); }
};

AUTOTP_HOST_DEVICE inline PhiloxWords philox(uint64_t key, uint64_t counterLow, uint64_t counterHigh) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  PhiloxWords c = {uint32_t(counterLow), uint32_t(counterLow >> 32), uint32_t(counterHigh),
                   uint32_t(counterHigh >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t(0xD2511F53u) * c.c0, b = uint64_t(0xCD9E8D57u) * c.c2;
    c = {uint32_t(b >> 32) ^ c.c1 ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c.c3 ^ k1, uint32_t(a)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// The key of a dropout. An element is kept if its bits are at least dropoutThreshold(). `row` is the row of the global
/// batch, 0 if the value has no samples; `index` is the element's index within the sample.
struct DropoutKey {
  uint32_t seed, ordinal, step;
  AUTOTP_HOST_DEVICE uint32_t bits(uint32_t row, uint64_t index) const {
    return philox(uint64_t(ordinal) << 32 | seed, uint64_t(row) << 32 | step, index >> 2)[int(index & 3)];
  }
};
/// The share `ratio` of all 32-bit words is below it. `ratio` is in [0, 1).
inline uint32_t dropoutThreshold(double ratio) { return uint32_t(ratio * 4294967296.0); }

} // namespace autotp

/// \file How much scratch memory the cpu's attention kernels need: known to the compiler, which plans it, and to the
/// kernels.
#pragma once

#include <cstdint>

namespace autotp {

/// Query rows whose scores are held at a time.
constexpr int64_t kAttentionRows = 32;
/// Where {replaces} is 1, a mask of at most this stands for the score instead of being added to it: f32 absorbs any score
/// in it, and a score that was replaced has no slope.
constexpr double kReplacingMask = -1e30;

struct AttentionSizes {
  int64_t b, s, h, d, t, kv, e;

  /// An odd number of cache lines, so that the rows of a column do not all fall into the same few sets of the cache.
  int64_t keyStride() const { return (t + 15) / 16 * 16 + ((t + 15) / 16 % 2 ? 0 : 16); }
  int64_t forwardFloats() const { return (d + kAttentionRows) * keyStride(); }          ///< a thread
  int64_t backwardFloats() const { return (d + e + 2 * kAttentionRows) * keyStride(); } ///< a thread
};

inline uint64_t attentionWorkspace(const AttentionSizes &z, int threads) {
  return uint64_t(threads) * uint64_t(z.forwardFloats()) * sizeof(float);
}
/// Also dK and dV of every query head, before those that share a KV head are summed.
inline uint64_t attentionGradWorkspace(const AttentionSizes &z, int threads) {
  return (uint64_t(threads) * uint64_t(z.backwardFloats()) + uint64_t(z.b * z.h * z.t * (z.d + z.e))) * sizeof(float);
}

} // namespace autotp

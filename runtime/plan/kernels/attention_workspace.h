/// \file How much scratch memory the cpu's attention kernels need: known to the compiler, which plans it, and to the
/// kernels.
#pragma once

#include <cstdint>

namespace autotp {

/// The scores of so many query rows with so many keys are held at a time.
constexpr int64_t kQueryRows = 32, kBlockKeys = 256;
/// Keys of a panel: keys or values transposed, [element of the head, key], in one piece of memory.
constexpr int64_t kPanelKeys = 64;
/// Rows that products read or write in whole vectors are padded to a multiple of so many floats.
constexpr int64_t kAttentionLanes = 16;
/// Floats from one row of a block of scores to the next: an odd number of cache lines, so that the rows of a column do not
/// all fall into the same few sets of the cache.
constexpr int64_t kScoreStride = kBlockKeys + kAttentionLanes;
static_assert(kBlockKeys % kPanelKeys == 0 && kPanelKeys % kAttentionLanes == 0);
/// Where {replaces} is 1, a mask of at most this stands for the score instead of being added to it: f32 absorbs any score
/// in it, and a score that was replaced has no slope.
constexpr double kReplacingMask = -1e30;

constexpr int64_t roundedUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

struct AttentionSizes {
  int64_t b, s, h, d, t, kv, e;

  int64_t paddedD() const { return roundedUp(d, kAttentionLanes); }
  int64_t paddedE() const { return roundedUp(e, kAttentionLanes); }
  int64_t paddedT() const { return roundedUp(t, kPanelKeys); }

  /// Of a thread: keys in panels, values, and of a block its queries, its scores and its output.
  int64_t forwardFloats() const {
    return paddedT() * (d + paddedE()) + kQueryRows * (paddedD() + kScoreStride + paddedE());
  }
  /// dK and dV of a KV head.
  int64_t kvGradFloats() const { return paddedT() * (paddedD() + paddedE()); }
  /// Of a thread: keys and values in panels, keys, dK and dV of two KV heads, and of a block its probabilities, the
  /// gradients of its scores, its queries, dQ and the gradient of its output.
  int64_t backwardFloats() const {
    return paddedT() * (d + e + paddedD()) + 2 * kvGradFloats() +
           kQueryRows * (2 * kScoreStride + 2 * paddedD() + paddedE());
  }
};

inline uint64_t attentionWorkspace(const AttentionSizes &z, int threads) {
  return uint64_t(threads) * uint64_t(z.forwardFloats()) * sizeof(float);
}
inline uint64_t attentionGradWorkspace(const AttentionSizes &z, int threads) {
  return uint64_t(threads) * uint64_t(z.backwardFloats()) * sizeof(float);
}

} // namespace autotp

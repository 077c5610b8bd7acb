/// \file What lanes of a warp do together. Every lane that is named and alive must arrive with the same operation and
/// mask; a value is only had from a lane that takes part.
#pragma once

#include "emulation/kernel_language.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace emulation {

enum class WarpOperation : unsigned char { Sync, Shuffle, Ballot, MatchAny, Add, Min, Max, And, Or, Xor };

/// Gives `value` and waits for the lanes of `mask`. Returns: for Shuffle the value of `sourceLane`, for Ballot the
/// lanes whose value is not zero, for MatchAny those whose value is equal to this one's, else the combination of all.
uint64_t warpExchange(WarpOperation operation, unsigned mask, uint64_t value, int sourceLane);
unsigned liveLanes();
int laneOfThread();

template <typename T> T shuffle(unsigned mask, T value, int sourceLane) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warpExchange(WarpOperation::Shuffle, mask, bits, sourceLane);
  std::memcpy(static_cast<void *>(&value), &bits, sizeof(T));
  return value;
}

} // namespace emulation

template <typename T> T __shfl_sync(unsigned mask, T value, int sourceLane, int width = warpSize) {
  int first = emulation::laneOfThread() & ~(width - 1);
  return emulation::shuffle(mask, value, first + (sourceLane & (width - 1)));
}
template <typename T> T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = warpSize) {
  int lane = emulation::laneOfThread(), source = lane ^ laneMask, end = (lane & ~(width - 1)) + width;
  return emulation::shuffle(mask, value, source < end ? source : lane);
}
template <typename T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  int lane = emulation::laneOfThread(), source = lane - int(delta), first = lane & ~(width - 1);
  return emulation::shuffle(mask, value, source >= first ? source : lane);
}
template <typename T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  int lane = emulation::laneOfThread(), source = lane + int(delta), end = (lane & ~(width - 1)) + width;
  return emulation::shuffle(mask, value, source < end ? source : lane);
}

inline void __syncwarp(unsigned mask = 0xffffffffu) {
  emulation::warpExchange(emulation::WarpOperation::Sync, mask, 0, 0);
}
inline unsigned __activemask() { return emulation::liveLanes(); }
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return unsigned(emulation::warpExchange(emulation::WarpOperation::Ballot, mask, predicate != 0, 0));
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
template <typename T> unsigned __match_any_sync(unsigned mask, T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return unsigned(emulation::warpExchange(emulation::WarpOperation::MatchAny, mask, bits, 0));
}

#define EMULATION_WARP_REDUCE(name, type, operation)                                                                   \
  inline type name(unsigned mask, type value) {                                                                        \
    return type(emulation::warpExchange(emulation::WarpOperation::operation, mask, uint64_t(int64_t(value)), 0));      \
  }
EMULATION_WARP_REDUCE(__reduce_add_sync, int, Add)
EMULATION_WARP_REDUCE(__reduce_min_sync, int, Min)
EMULATION_WARP_REDUCE(__reduce_max_sync, int, Max)
EMULATION_WARP_REDUCE(__reduce_add_sync, unsigned, Add)
EMULATION_WARP_REDUCE(__reduce_min_sync, unsigned, Min)
EMULATION_WARP_REDUCE(__reduce_max_sync, unsigned, Max)
EMULATION_WARP_REDUCE(__reduce_and_sync, unsigned, And)
EMULATION_WARP_REDUCE(__reduce_or_sync, unsigned, Or)
EMULATION_WARP_REDUCE(__reduce_xor_sync, unsigned, Xor)
#undef EMULATION_WARP_REDUCE

/// \file Element types as they are stored, and their widening to what is computed in.
#pragma once

#include <bit>
#include <cstdint>

namespace autotp::cpu {

#ifdef __aarch64__
using Half = __fp16; ///< f16; g++ 12 has no _Float16 there
#else
using Half = _Float16; ///< f16
#endif

struct Bf16 {
  uint16_t bits;
};
struct Truth {
  uint8_t value;
};

template <typename T> inline T widened(T x) { return x; }
inline float widened(Bf16 x) { return std::bit_cast<float>(uint32_t(x.bits) << 16); }
inline float widened(Half x) { return static_cast<float>(x); }
inline uint8_t widened(Truth x) { return x.value != 0; }

template <typename R> struct Narrowed {
  template <typename W> static R from(W x) { return static_cast<R>(x); }
};
template <> struct Narrowed<Truth> {
  template <typename W> static Truth from(W x) { return {uint8_t(x != 0)}; }
};
template <> struct Narrowed<Bf16> {
  /// To nearest, ties to even; a NaN keeps a set bit of its fraction.
  template <typename W> static Bf16 from(W x) {
    const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(x));
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const bool isNan = (bits & 0x7fffffff) > 0x7f800000;
    return {static_cast<uint16_t>(isNan ? (bits >> 16) | 0x40 : rounded)};
  }
};

/// What is computed in where elements of S are stored.
template <typename S> using Widened = decltype(widened(S()));

} // namespace autotp::cpu

/// \file Element types as they are stored, their widening to what is computed in, and aligned packs of them.
#pragma once

#include "runtime/device/cuda/launch.h"
#include "runtime/plan/dtype.h"

#include <cstdint>
#include <cstring>

namespace autotp::cuda {

struct Bf16 {
  uint16_t bits;
};
struct Half {
  uint16_t bits;
};
struct Truth {
  uint8_t value;
};

/// N elements that are read and written by one access.
template <typename T, int N> struct alignas(sizeof(T) * N) Pack { T at[N]; };

template <typename To, typename From> __host__ __device__ inline To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

__host__ __device__ inline float widened(Bf16 x) { return bitsAs<float>(uint32_t(x.bits) << 16); }
__host__ __device__ inline float widened(Half x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000) << 16, rest = x.bits & 0x7fff;
  if (rest >= 0x7c00) return bitsAs<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  if (rest >= 0x400) return bitsAs<float>(sign | ((rest << 13) + (112u << 23)));
  const float small = float(rest) * 5.9604644775390625e-8f; // a denormal counts in units of 2^-24
  return sign ? -small : small;
}
__host__ __device__ inline uint8_t widened(Truth x) { return x.value != 0; }
template <typename T> __host__ __device__ T widened(T x) { return x; }

/// What is computed in where elements of S are stored.
template <typename S> using Widened = decltype(widened(S()));

template <typename R> struct Narrowed {
  template <typename W> __host__ __device__ static R from(W x) { return static_cast<R>(x); }
};
template <> struct Narrowed<Truth> {
  template <typename W> __host__ __device__ static Truth from(W x) { return {uint8_t(x != 0)}; }
};
template <> struct Narrowed<Bf16> {
  /// To nearest, ties to even; a NaN keeps a set bit of its fraction.
  template <typename W> __host__ __device__ static Bf16 from(W x) {
    const uint32_t bits = bitsAs<uint32_t>(static_cast<float>(x));
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const bool isNan = (bits & 0x7fffffff) > 0x7f800000;
    return {static_cast<uint16_t>(isNan ? (bits >> 16) | 0x40 : rounded)};
  }
};
template <> struct Narrowed<Half> {
  /// To nearest, ties to even, once: from f64, which holds every other type's values that f16 can tell apart.
  template <typename W> __host__ __device__ static Half from(W x) {
    const uint64_t bits = bitsAs<uint64_t>(static_cast<double>(x));
    const uint16_t sign = uint16_t(bits >> 48 & 0x8000);
    const int exponent = int(bits >> 52 & 0x7ff) - 1023;
    const uint64_t fraction = bits & 0xfffffffffffff;
    if (exponent == 1024) return {uint16_t(sign | 0x7c00 | (fraction ? 0x200 : 0))};
    if (exponent < -25) return {sign};
    const int dropped = exponent < -14 ? 42 - (exponent + 14) : 42; // bits of the fraction that f16 lacks
    const uint64_t whole = fraction | 0x10000000000000, half = uint64_t{1} << (dropped - 1);
    uint64_t kept = whole >> dropped;
    const uint64_t rest = whole & ((uint64_t{1} << dropped) - 1);
    if (rest > half || (rest == half && (kept & 1))) ++kept;
    if (exponent >= -14) kept += uint64_t(exponent + 14) << 10; // a carry out of the fraction grows the exponent
    return {uint16_t(sign | (exponent > 15 || kept >= 0x7c00 ? 0x7c00 : kept))};
  }
};

/// N elements of S from the i-th on, in one access, as f32.
template <typename S, int N> __device__ __forceinline__ Pack<float, N> packAs(const void *data, int64_t i) {
  const auto stored = *reinterpret_cast<const Pack<S, N> *>(static_cast<const S *>(data) + i);
  Pack<float, N> pack;
  for (int k = 0; k < N; ++k)
    pack.at[k] = widened(stored.at[k]);
  return pack;
}
template <typename S, int N>
__device__ __forceinline__ void setPackAs(void *data, int64_t i, const Pack<float, N> &pack) {
  Pack<S, N> stored;
  for (int k = 0; k < N; ++k)
    stored.at[k] = Narrowed<S>::from(pack.at[k]);
  *reinterpret_cast<Pack<S, N> *>(static_cast<S *>(data) + i) = stored;
}

/// Elements of f32, bf16 or f16, read and written as f32, whose type a kernel learns when it runs: one kernel for all of them,
/// where compiling it is dear and its loads are few.
struct StoredFloats {
  void *data = nullptr;
  DType dtype = DType::F32;

  /// N elements from the i-th on, in one access; their address must be a multiple of its bytes.
  template <int N> __device__ __forceinline__ Pack<float, N> at(int64_t i) const {
    if (dtype == DType::F32) return packAs<float, N>(data, i);
    return dtype == DType::BF16 ? packAs<Bf16, N>(data, i) : packAs<Half, N>(data, i);
  }
  template <int N> __device__ __forceinline__ void set(int64_t i, const Pack<float, N> &pack) const {
    if (dtype == DType::F32) return setPackAs<float, N>(data, i, pack);
    if (dtype == DType::BF16) return setPackAs<Bf16, N>(data, i, pack);
    setPackAs<Half, N>(data, i, pack);
  }
};

} // namespace autotp::cuda

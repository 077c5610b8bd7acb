/// \file What attention's kernels share: tiles of q, k, v in shared memory, and products of tiles in registers.
/// A block has 256 threads as 16 x 16: thread (ty, tx) has rows ty + 16 r of its tile, so that the 16 lanes of a half
/// warp hold a row together and its sums and maxima are shuffles.
#pragma once

#include "runtime/device/cuda/attention.h"
#include "runtime/device/cuda/elementwise.cuh"

#include <cmath>
#include <type_traits>

namespace autotp::cuda {

constexpr int kAttentionThreads = 256;
constexpr int kSide = 16;     ///< threads of a row, and rows of threads
constexpr int kStreamed = 32; ///< rows of the tiles that pass by

/// D: the head dimension rounded up to 64, 128 or 256.
template <int D> struct Tile {
  static constexpr int owned = D <= 128 ? 64 : 32; ///< rows that stay
  static constexpr int pitch = D + 4;              ///< of a row in shared memory: neighbours begin in other banks
  static constexpr int scorePitch = kStreamed + 4;
  static constexpr int rows = owned / kSide, columns = kStreamed / kSide; ///< of a thread's scores
  static constexpr int packs = D / (4 * kSide); ///< of 4 columns in a thread's row of a product
};

/// An index of a thread's part of a block.
__device__ __forceinline__ int tileRow() { return threadIdx.x / kSide; }
__device__ __forceinline__ int tileColumn() { return threadIdx.x % kSide; }

/// Rows [first, first + Rows) of `width` floats, `stride` apart, of which the first begins at element `begin`, with zeros
/// around what is there.
template <int D, int Rows>
__device__ void loadTile(float *tile, const StoredFloats &from, int64_t begin, int64_t stride, int first, int limit,
                         int width, bool vectors) {
  constexpr int kPacks = D / 4;
#pragma unroll 2
  for (int i = threadIdx.x; i < Rows * kPacks; i += kAttentionThreads) {
    const int row = i / kPacks, column = i % kPacks * 4;
    Pack<float, 4> pack{};
    const int64_t at = begin + int64_t(first + row) * stride + column;
    if (first + row < limit && column < width) {
      if (vectors) {
        pack = from.at<4>(at);
      } else {
        for (int k = 0; k < 4 && column + k < width; ++k)
          pack.at[k] = from.at<1>(at + k).at[0];
      }
    }
    *reinterpret_cast<Pack<float, 4> *>(tile + row * Tile<D>::pitch + column) = pack;
  }
}

__device__ __forceinline__ Pack<float, 4> four(const float *at) {
  return *reinterpret_cast<const Pack<float, 4> *>(at);
}

/// scores[r][c] = a[ty + 16 r] . b[tx + 16 c], over `width` columns rounded up to 4.
template <int D>
__device__ __forceinline__ void dotTiles(float (&scores)[Tile<D>::rows][Tile<D>::columns], const float *a,
                                         const float *b, int width) {
  constexpr int kRows = Tile<D>::rows, kColumns = Tile<D>::columns, kPitch = Tile<D>::pitch;
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kColumns; ++c)
      scores[r][c] = 0;
#pragma unroll 2 // more would not stay in registers
  for (int i = 0; i < width; i += 4) {
    Pack<float, 4> left[kRows], right[kColumns];
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      left[r] = four(a + (tileRow() + kSide * r) * kPitch + i);
#pragma unroll
    for (int c = 0; c < kColumns; ++c)
      right[c] = four(b + (tileColumn() + kSide * c) * kPitch + i);
#pragma unroll
    for (int r = 0; r < kRows; ++r)
#pragma unroll
      for (int c = 0; c < kColumns; ++c)
#pragma unroll
        for (int k = 0; k < 4; ++k)
          scores[r][c] += left[r].at[k] * right[c].at[k];
  }
}

/// A thread's rows of an [owned, D] sum: columns 4 tx + 64 k.
template <int D> using Rows = Pack<float, 4>[Tile<D>::rows][Tile<D>::packs];

/// sum += weights [owned, 32] b [32, D].
template <int D> __device__ __forceinline__ void addProduct(Rows<D> &sum, const float *weights, const float *b) {
  constexpr int kRows = Tile<D>::rows, kPacks = Tile<D>::packs, kPitch = Tile<D>::pitch;
#pragma unroll 1
  for (int j = 0; j < kStreamed; j += 4) {
    Pack<float, 4> left[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      left[r] = four(weights + (tileRow() + kSide * r) * Tile<D>::scorePitch + j);
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
        const Pack<float, 4> right = four(b + (j + k) * kPitch + 4 * tileColumn() + 4 * kSide * p);
#pragma unroll
        for (int r = 0; r < kRows; ++r)
#pragma unroll
          for (int i = 0; i < 4; ++i)
            sum[r][p].at[i] += left[r].at[k] * right.at[i];
      }
  }
}

template <int D> __device__ __forceinline__ void clearRows(Rows<D> &sum) {
#pragma unroll
  for (int r = 0; r < Tile<D>::rows; ++r)
#pragma unroll
    for (int p = 0; p < Tile<D>::packs; ++p)
      sum[r][p] = Pack<float, 4>{};
}

/// Row first + row of what begins at element `begin` = sum[row], for rows below `limit` and `width` columns.
template <int D>
__device__ __forceinline__ void storeRows(const Rows<D> &sum, const StoredFloats &to, int64_t begin, int64_t stride,
                                          int first, int limit, int width, bool vectors) {
#pragma unroll
  for (int r = 0; r < Tile<D>::rows; ++r) {
    const int row = first + tileRow() + kSide * r;
#pragma unroll
    for (int p = 0; p < Tile<D>::packs; ++p) {
      const int column = 4 * tileColumn() + 4 * kSide * p;
      if (row >= limit || column >= width) continue;
      const int64_t at = begin + int64_t(row) * stride + column;
      if (vectors) {
        to.set<4>(at, sum[r][p]);
      } else {
        for (int k = 0; k < 4; ++k)
          if (column + k < width) to.set<1>(at + k, {sum[r][p].at[k]});
      }
    }
  }
}

/// A row's join over its 16 lanes.
template <typename Join> __device__ __forceinline__ float joinRow(float v, Join join) {
  for (int mask = kSide / 2; mask > 0; mask >>= 1)
    v = join(v, __shfl_xor_sync(0xffffffffu, v, mask, kSide));
  return v;
}

/// The first elements of a head's operands: the block's place among [b, h].
struct Head {
  int64_t b, h, kvHead;
  __device__ Head(const AttentionProblem &p, int64_t b, int64_t h) : b(b), h(h), kvHead(h / (p.h / p.kv)) {}
  __device__ int64_t q(const AttentionProblem &p) const { return (b * p.s * p.h + h) * p.d; }
  __device__ int64_t k(const AttentionProblem &p) const { return (b * p.t * p.kv + kvHead) * p.d; }
  __device__ int64_t v(const AttentionProblem &p) const { return (b * p.t * p.kv + kvHead) * p.e; }
  __device__ int64_t out(const AttentionProblem &p) const { return (b * p.s * p.h + h) * p.e; } ///< and of dout
};

__device__ __forceinline__ float maskOf(const AttentionProblem &p, const Head &head, int i, int j) {
  return p.mask[head.b * p.maskStride[0] + head.h * p.maskStride[1] + i * p.maskStride[2] + j * p.maskStride[3]];
}

/// The scaled, masked score of query i and key j from their product; -inf where i may not see j or either is not there.
template <bool IsMasked>
__device__ __forceinline__ float scoreOf(const AttentionProblem &p, const Head &head, int i, int j, float dot) {
  if (i >= int(p.s) || j >= int(p.t) || (p.isCausal && j > i + int(p.t) - int(p.s))) return -INFINITY;
  float score = dot * p.scale;
  if constexpr (IsMasked) score += maskOf(p, head, i, j);
  return score;
}

/// Keys that queries before `end` may see: [0, this).
__device__ __forceinline__ int keysFor(const AttentionProblem &p, int end) {
  if (!p.isCausal) return int(p.t);
  const int seen = end + int(p.t) - int(p.s);
  return seen < 0 ? 0 : seen < int(p.t) ? seen : int(p.t);
}

/// start(head dimension rounded up, whether there is a mask), both as constants.
template <typename Start> auto withVariant(const AttentionProblem &p, Start start) {
  const int64_t widest = p.d > p.e ? p.d : p.e;
  auto withDimension = [&](auto isMasked) {
    if (widest <= 64) return start(std::integral_constant<int, 64>(), isMasked);
    if (widest <= 128) return start(std::integral_constant<int, 128>(), isMasked);
    return start(std::integral_constant<int, 256>(), isMasked);
  };
  return p.mask ? withDimension(std::true_type()) : withDimension(std::false_type());
}

} // namespace autotp::cuda

/// \file What attention and its gradient share: the operands of a call, how its work is divided among threads, and blocks
/// of scores.
#pragma once

#include "runtime/device/cpu/stored_as.h"
#include "runtime/device/cpu/tile_product.h"
#include "runtime/plan/kernels/attention_workspace.h"

#include <array>
#include <limits>
#include <vector>

namespace autotp::cpu {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Query rows [begin, end) of one head: the unit of work. `group` counts the KV heads of all sequences.
struct QueryBlock {
  int64_t group, b, h, begin, end;
  int64_t rows() const { return end - begin; }
};

/// Work [begin, end) of one thread, counted in blocks.
struct BlockRange {
  int64_t begin, end;
};

struct AttentionProblem {
  AttentionSizes z;
  const float *mask = nullptr;
  std::array<int64_t, 4> maskStrides{}; ///< of [b, h, s, t]; 0 where it broadcasts
  float scale;
  bool isCausal, replaces;
  int threads;
  std::vector<BlockRange> parts; ///< of each thread: consecutive, of nearly as many scores

  explicit AttentionProblem(const Call &call);

  /// The first element of a row of a head, in tensors [b, s, h, d] and [b, s, h, e].
  int64_t queryAt(const QueryBlock &block, int64_t row) const { return rowOfHead(block, row) * z.d; }
  int64_t outputAt(const QueryBlock &block, int64_t row) const { return rowOfHead(block, row) * z.e; }
  /// The first element of statistics [b, h, s, 2].
  int64_t statisticsAt(const QueryBlock &block, int64_t row) const {
    return ((block.b * z.h + block.h) * z.s + block.begin + row) * 2;
  }
  /// The row of a KV head's first key, in tensors [b, t, kv, d or e], whose rows are `z.kv` apart.
  int64_t firstKeyRow(int64_t group) const { return group / z.kv * z.t * z.kv + group % z.kv; }

  /// Keys that some row of a block ending at row `end` may see; of a block of one row, the keys that it sees.
  int64_t keysFor(int64_t end) const { return isCausal ? std::clamp<int64_t>(end + z.t - z.s, 0, z.t) : z.t; }
  /// How many of `keys` keys from `begin` on a row of a block sees.
  int64_t seenBy(const QueryBlock &block, int64_t row, int64_t begin, int64_t keys) const {
    return std::clamp<int64_t>(keysFor(block.begin + row + 1) - begin, 0, keys);
  }
  /// The mask of a row for keys from `begin` on, maskStrides[3] apart.
  const float *maskRow(const QueryBlock &block, int64_t row, int64_t begin) const {
    return mask + block.b * maskStrides[0] + block.h * maskStrides[1] + (block.begin + row) * maskStrides[2] +
           begin * maskStrides[3];
  }

  int64_t blocksOfHead() const { return (z.s + kQueryRows - 1) / kQueryRows; }
  /// Heads that share keys and values follow one another.
  int64_t blocksOfGroup() const { return z.h / z.kv * blocksOfHead(); }
  QueryBlock block(int64_t at) const;

private:
  int64_t rowOfHead(const QueryBlock &block, int64_t row) const {
    return (block.b * z.s + block.begin + row) * z.h + block.h;
  }
};

/// panels [t / kPanelKeys, columns, kPanelKeys] = scale * from [t, columns], whose rows are `stride` apart; zeros fill the
/// last panel.
template <typename S>
void packPanels(const S *from, int64_t stride, int64_t t, int64_t columns, float scale, float *panels) {
  for (int64_t begin = 0; begin < t; begin += kPanelKeys, panels += columns * kPanelKeys) {
    const int64_t keys = std::min(kPanelKeys, t - begin);
    for (int64_t c = 0; c < columns; ++c) {
      float *row = panels + c * kPanelKeys;
      for (int64_t j = 0; j < keys; ++j)
        row[j] = scale * widened(from[(begin + j) * stride + c]);
      std::fill(row + keys, row + kPanelKeys, 0.0f);
    }
  }
}

/// to [rows, width] = from [rows, columns], whose rows are `stride` apart; zeros fill each row.
template <typename S>
void packRows(const S *from, int64_t stride, int64_t rows, int64_t columns, float *to, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, to += width, from += stride) {
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c)
      to[c] = widened(from[c]);
    std::fill(to + columns, to + width, 0.0f);
  }
}

/// to [n] = from [n], as it is stored.
template <typename S> void storeRow(const float *from, int64_t n, S *to) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    to[i] = Narrowed<S>::from(from[i]);
}

/// A block [rows, keys] = left [rows, columns] x panels of keys from `begin` on. Its rows are kScoreStride apart and
/// computed to whole vectors, since a rest would take as long as all the others.
void panelProduct(Strided left, int64_t rows, int64_t columns, const float *panels, int64_t begin, int64_t keys,
                  float *to);

/// Makes the scores of a block, for `keys` keys from `begin` on, what softmax takes: the mask is added, and keys that a row
/// does not see are -infinity, to the end of the last vector.
void hideKeys(const AttentionProblem &p, const QueryBlock &block, int64_t begin, int64_t keys, float *scores);

} // namespace autotp::cpu

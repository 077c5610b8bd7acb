/// \file Which products the cpu device takes by blocks of columns, and the scratch memory that a block needs: known to the
/// compiler, which plans it, and to the kernel.
#pragma once

#include <cstdint>

namespace autotp {

/// Columns of a block, and floats from one row of its copy to the next: 17 cache lines, so that rows spread over all sets of
/// a cache.
constexpr int64_t kBlockColumns = 256, kBlockStride = 272;

/// Of a^T [m, k] x b [k, n]. oneDNN 2.6 packs no operand where 1/m + 1/n is at least 0.0038 (its own threshold before
/// AVX-512), and then reads b down its columns. Where rows of b are a multiple of 2 KiB apart, all of a column falls into a
/// few sets of each cache: on AMD's Zen 3, 256 x 4096 ran at a third of the rate that other widths have.
constexpr bool goesByColumns(int64_t m, int64_t n) {
  return m >= 64 && n >= 2 * kBlockColumns && n % 512 == 0 && 1.0 / double(m) + 1.0 / double(n) >= 0.0038;
}

constexpr uint64_t blockBytes(int64_t k) { return uint64_t(k * kBlockStride) * sizeof(float); }

} // namespace autotp

#include "runtime/device/cpu/tile_product.h"

#include "runtime/device/cpu/vectors.h"

namespace autotp::cpu {

namespace {

// Sums in flight hide the latency of one, and stay in registers: 32 with AVX-512, 16 before it, where a row of b and an
// element of a need some of them.
#if defined(__AVX512F__)
constexpr int kVectors = 4;
template <int kV> constexpr int kRowsOf = kV == 4 ? 4 : 8;
#else
constexpr int kVectors = 2;
template <int kV> constexpr int kRowsOf = kV == 2 ? 6 : 8;
#endif

/// Unrolled, so that the sums are registers and no array in memory.
template <int kM, int kV>
void tile(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t k, bool accumulates) {
  Vector sum[kM][kV] = {};
  for (int64_t p = 0; p < k; ++p) {
    Vector row[kV];
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v)
      row[v] = loadVector(b + p * ldb + v * kVectorLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kM; ++i) {
      const float x = a.data[i * a.row + p * a.column];
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v)
        sum[i][v] += x * row[v];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) {
      float *to = c + i * ldc + v * kVectorLanes;
      storeVector(to, accumulates ? sum[i][v] + loadVector(to) : sum[i][v]);
    }
}

/// A tile of m rows, of which there are 1 to kM.
template <int kM, int kV>
void tileOf(int64_t m, Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t k, bool accumulates) {
  if (m == kM) return tile<kM, kV>(a, b, ldb, c, ldc, k, accumulates);
  if constexpr (kM > 1) tileOf<kM - 1, kV>(m, a, b, ldb, c, ldc, k, accumulates);
}

/// As few tiles as the rows need, of nearly equal height: a last tile of a row or two would wait for its own sums.
template <int kM, int kV>
void rowTiles(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t k, bool accumulates) {
  const int64_t tiles = (m + kM - 1) / kM;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t i = m * t / tiles, end = m * (t + 1) / tiles;
    tileOf<kM, kV>(end - i, {a.data + i * a.row, a.row, a.column}, b, ldb, c + i * ldc, ldc, k, accumulates);
  }
}

/// As many blocks of kV vectors of columns as fit, from `j` on, then smaller ones.
template <int kV>
void columnBlocks(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t j, int64_t m, int64_t n,
                  int64_t k, bool accumulates) {
  for (; j + kV * kVectorLanes <= n; j += kV * kVectorLanes)
    rowTiles<kRowsOf<kV>, kV>(a, b + j, ldb, c + j, ldc, m, k, accumulates);
  if constexpr (kV > 1) columnBlocks<kV / 2>(a, b, ldb, c, ldc, j, m, n, k, accumulates);
}

} // namespace

void tileProduct(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t n, int64_t k,
                 bool accumulates) {
  columnBlocks<kVectors>(a, b, ldb, c, ldc, 0, m, n, k, accumulates);
}

} // namespace autotp::cpu

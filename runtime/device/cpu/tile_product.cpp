#include "runtime/device/cpu/tile_product.h"

namespace autotp::cpu {

namespace {

// Sums in flight hide the latency of one, and stay in registers: 32 with AVX-512, 16 before it, where a row of b and an
// element of a need some of them.
#if defined(__AVX512F__)
constexpr int64_t kLanes = 16; // of a vector
constexpr int kVectors = 4;
template <int kV> constexpr int kRowsOf = kV == 4 ? 4 : 8;
#else
#if defined(__AVX__)
constexpr int64_t kLanes = 8;
constexpr int kVectors = 2;
#else
constexpr int64_t kLanes = 4;
constexpr int kVectors = 2;
#endif
template <int kV> constexpr int kRowsOf = kV == 2 ? 6 : 8;
#endif
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using Unaligned = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

Vector load(const float *at) { return *reinterpret_cast<const Unaligned *>(at); }
void store(float *at, Vector v) { *reinterpret_cast<Unaligned *>(at) = v; }

/// Unrolled, so that the sums are registers and no array in memory.
template <int kM, int kV>
void tile(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t k, bool accumulates) {
  Vector sum[kM][kV] = {};
  for (int64_t p = 0; p < k; ++p) {
    Vector row[kV];
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v)
      row[v] = load(b + p * ldb + v * kLanes);
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
      float *to = c + i * ldc + v * kLanes;
      store(to, accumulates ? sum[i][v] + load(to) : sum[i][v]);
    }
}

/// Fewer than a vector of columns.
void edge(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t n, int64_t k,
          bool accumulates) {
  for (int64_t i = 0; i < m; ++i) {
    float sum[kLanes] = {};
    for (int64_t p = 0; p < k; ++p) {
      const float x = a.data[i * a.row + p * a.column];
      for (int64_t j = 0; j < n; ++j)
        sum[j] += x * b[p * ldb + j];
    }
    for (int64_t j = 0; j < n; ++j)
      c[i * ldc + j] = accumulates ? c[i * ldc + j] + sum[j] : sum[j];
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

/// As many blocks of kV vectors of columns as fit, from `j` on, then smaller ones. Returns where it ended.
template <int kV>
int64_t columnBlocks(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t j, int64_t m, int64_t n,
                     int64_t k, bool accumulates) {
  for (; j + kV * kLanes <= n; j += kV * kLanes)
    rowTiles<kRowsOf<kV>, kV>(a, b + j, ldb, c + j, ldc, m, k, accumulates);
  if constexpr (kV > 1) return columnBlocks<kV / 2>(a, b, ldb, c, ldc, j, m, n, k, accumulates);
  return j;
}

} // namespace

void tileProduct(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t n, int64_t k,
                 bool accumulates) {
  const int64_t j = columnBlocks<kVectors>(a, b, ldb, c, ldc, 0, m, n, k, accumulates);
  if (j < n) edge(a, b + j, ldb, c + j, ldc, m, n - j, k, accumulates);
}

} // namespace autotp::cpu

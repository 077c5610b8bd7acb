#include "runtime/device/cpu/tile_product.h"

namespace autotp::cpu {

namespace {

constexpr int kLanes = 16, kVectors = 4, kColumns = kLanes * kVectors;
using Vector = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

Vector load(const float *at) {
  Vector v;
  std::memcpy(&v, at, sizeof v);
  return v;
}

template <int kM, int kV>
void tile(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t k, bool accumulates) {
  Vector sum[kM][kV] = {};
  for (int64_t p = 0; p < k; ++p) {
    Vector row[kV];
    for (int v = 0; v < kV; ++v)
      row[v] = load(b + p * ldb + v * kLanes);
    for (int i = 0; i < kM; ++i) {
      const float x = a.data[i * a.row + p * a.column];
      for (int v = 0; v < kV; ++v)
        sum[i][v] += x * row[v];
    }
  }
  for (int i = 0; i < kM; ++i)
    for (int v = 0; v < kV; ++v) {
      float *to = c + i * ldc + v * kLanes;
      Vector result = accumulates ? sum[i][v] + load(to) : sum[i][v];
      std::memcpy(to, &result, sizeof result);
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

template <int kV>
void columns(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t k, bool accumulates) {
  constexpr int kRows = kV == kVectors ? 4 : 8; // enough sums in flight to hide the latency of one
  int64_t i = 0;
  auto at = [&](int64_t row) { return Strided{a.data + row * a.row, a.row, a.column}; };
  for (; i + kRows <= m; i += kRows)
    tile<kRows, kV>(at(i), b, ldb, c + i * ldc, ldc, k, accumulates);
  for (; i < m; ++i)
    tile<1, kV>(at(i), b, ldb, c + i * ldc, ldc, k, accumulates);
}

} // namespace

void tileProduct(Strided a, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t m, int64_t n, int64_t k,
                 bool accumulates) {
  int64_t j = 0;
  for (; j + kColumns <= n; j += kColumns)
    columns<kVectors>(a, b + j, ldb, c + j, ldc, m, k, accumulates);
  for (; j + 2 * kLanes <= n; j += 2 * kLanes)
    columns<2>(a, b + j, ldb, c + j, ldc, m, k, accumulates);
  for (; j + kLanes <= n; j += kLanes)
    columns<1>(a, b + j, ldb, c + j, ldc, m, k, accumulates);
  if (j < n) edge(a, b + j, ldb, c + j, ldc, m, n - j, k, accumulates);
}

} // namespace autotp::cpu

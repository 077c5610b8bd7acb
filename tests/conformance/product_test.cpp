/// \file Products and attention.
#include "runtime/plan/kernels/attention_workspace.h"
#include "tests/conformance/kernel_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace autotp::test {
namespace {

/// Batches broadcast; at most one leading dimension a side, so that one stride walks them.
Value productOf(const Value &a, const Value &b, bool transA, bool transB) {
  const size_t ra = a.shape.size(), rb = b.shape.size();
  const int64_t m = a.shape[ra - (transA ? 1 : 2)], k = a.shape[ra - (transA ? 2 : 1)],
                n = b.shape[rb - (transB ? 2 : 1)];
  const int64_t batchA = ra > 2 ? a.shape[0] : 1, batchB = rb > 2 ? b.shape[0] : 1,
                batch = batchA == 1 ? batchB : batchA;
  Value c;
  if (std::max(ra, rb) > 2) c.shape.push_back(batch);
  c.shape.insert(c.shape.end(), {m, n});
  for (int64_t z = 0; z < batch; ++z)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        const int64_t atA = batchA == 1 ? 0 : z * m * k, atB = batchB == 1 ? 0 : z * k * n;
        double sum = 0;
        for (int64_t p = 0; p < k; ++p)
          sum +=
              a.v[size_t(atA + (transA ? p * m + i : i * k + p))] * b.v[size_t(atB + (transB ? j * k + p : p * n + j))];
        c.v.push_back(sum);
      }
  return c;
}

TEST(Products, MatMul) {
  struct Row {
    Shape batchA, batchB;
  };
  for (const Row &row : {Row{{}, {}}, Row{{3}, {3}}, Row{{3}, {}}, Row{{}, {3}}, Row{{1}, {3}}, Row{{3}, {1}}})
    for (auto [m, k, n] :
         {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {5, 7, 3}, {33, 65, 17}, {0, 4, 3}, {4, 0, 3}, {4, 3, 0}})
      for (int64_t transA : {0, 1})
        for (int64_t transB : {0, 1}) {
          Shape a = row.batchA, b = row.batchB;
          for (int64_t d : transA ? Shape{k, m} : Shape{m, k})
            a.push_back(d);
          for (int64_t d : transB ? Shape{n, k} : Shape{k, n})
            b.push_back(d);
          for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
            Value x = randomValue(a, 1, -2, 2, dtype), y = randomValue(b, 2, -2, 2, dtype);
            Value c = productOf(x, y, transA, transB);
            const std::string what = nameOf(dtype).str() + " batches " + std::to_string(row.batchA.size()) +
                                     std::to_string(row.batchB.size()) + " sizes " + std::to_string(m) + "," +
                                     std::to_string(k) + "," + std::to_string(n);
            const KernelAttributes flags = attributes({{"trans_a", transA}, {"trans_b", transB}});
            expectCase({KernelId::MatMul, {x, y}, {c}, flags, 1e-5}, what + " to f32");
            c.dtype = dtype;
            expectCase({KernelId::MatMul, {x, y}, {c}, flags, std::max(1e-5, roundingOf(dtype))}, what);
          }
        }
}

/// Those whose right side the cpu device may copy by blocks of columns, and their neighbours.
TEST(Products, OfFarRows) {
  for (auto [m, k, n] :
       {std::tuple<int64_t, int64_t, int64_t>{64, 5, 512}, {70, 33, 1024}, {63, 3, 512}, {64, 5, 528}}) {
    const Value x = randomValue({k, m}, 1, -2, 2), y = randomValue({k, n}, 2, -2, 2);
    expectCase({KernelId::MatMul, {x, y}, {productOf(x, y, true, false)}, attributes({{"trans_a", 1}}), 1e-5},
               std::to_string(m) + "," + std::to_string(k) + "," + std::to_string(n));
  }
}

/// Those whose columns the cpu device may divide among its threads, and a neighbour.
TEST(Products, OfLargeRightSides) {
  for (auto [m, k, n] : {std::tuple<int64_t, int64_t, int64_t>{3, 1500, 705}, {2, 2048, 512}, {2, 2047, 512}})
    for (bool transA : {false, true}) {
      const Value x = randomValue(transA ? Shape{k, m} : Shape{m, k}, 1, -2, 2), y = randomValue({k, n}, 2, -2, 2);
      const Value bias = randomValue({n}, 3, -2, 2), product = productOf(x, y, transA, false);
      Value sum = product;
      for (size_t i = 0; i < sum.v.size(); ++i)
        sum.v[i] += bias.v[i % size_t(n)];
      const KernelAttributes flags = attributes({{"trans_a", int64_t(transA)}});
      const std::string what = std::to_string(m) + "," + std::to_string(k) + "," + std::to_string(n);
      expectCase({KernelId::MatMul, {x, y}, {product}, flags, 1e-4}, what);
      expectCase({KernelId::MatMulBias, {x, y, bias}, {sum}, flags, 1e-4}, what);
    }
}

/// Gelu in its tanh form (Hendrycks and Gimpel 2016), and its derivative.
double gelu(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
double geluSlope(double x) {
  const double t = std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
}

void expectEpilogues(const Shape &batchA, const Shape &batchB, Shape sizes, const Shape &biasShape, DType dtype,
                     bool transA, bool transB) {
  const int64_t m = sizes[0], k = sizes[1], n = sizes[2];
  Shape a = batchA, b = batchB;
  for (int64_t d : transA ? Shape{k, m} : Shape{m, k})
    a.push_back(d);
  for (int64_t d : transB ? Shape{n, k} : Shape{k, n})
    b.push_back(d);
  const Value left = randomValue(a, 1, -1, 1, dtype), right = randomValue(b, 2, -1, 1, dtype),
              bias = randomValue(biasShape, 3, -2, 2, dtype);
  const Value product = productOf(left, right, transA, transB);
  Value x = product, y, at = randomValue(product.shape, 4, -3, 3, dtype), dx = product;
  x.dtype = dx.dtype = dtype;
  for (size_t i = 0; i < x.v.size(); ++i) {
    x.v[i] += bias.v[i % size_t(n)];
    dx.v[i] *= geluSlope(at.v[i]);
  }
  y = x;
  for (double &v : y.v)
    v = gelu(v);
  const KernelAttributes flags = attributes({{"trans_a", int64_t(transA)}, {"trans_b", int64_t(transB)}});
  const std::string what = nameOf(dtype).str() + " batches " + std::to_string(batchA.size()) +
                           std::to_string(batchB.size()) + " sizes " + std::to_string(m) + "," + std::to_string(k) +
                           "," + std::to_string(n);
  expectCase({KernelId::MatMulBias, {left, right, bias}, {x}, flags, std::max(1e-5, roundingOf(dtype))}, what);
  // What is rounded before gelu or its derivative, whose slopes are at most 1.13, is passed on by them.
  const double twice = std::max(1e-5, 2.2 * roundingOf(dtype));
  expectCase({KernelId::MatMulBiasGelu, {left, right, bias}, {x, y}, flags, twice}, what);
  expectCase({KernelId::MatMulGeluGrad, {left, right, at}, {dx}, flags, twice}, what);
}

/// Columns that are no multiple of 8 elements, and addresses that are no multiple of 16 bytes, have no epilogue in
/// cuBLASLt that keeps what gelu is taken of.
TEST(Products, Epilogues) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    for (const Shape &sizes : {Shape{1, 1, 1}, Shape{5, 7, 3}, Shape{33, 65, 16}, Shape{20, 9, 24}, Shape{0, 4, 8},
                               Shape{4, 0, 8}, Shape{4, 3, 0}})
      for (bool transA : {false, true})
        for (bool transB : {false, true}) {
          expectEpilogues({}, {}, sizes, {sizes[2]}, dtype, transA, transB);
          expectEpilogues({3}, {}, sizes, {1, 1, sizes[2]}, dtype, transA, transB);
          expectEpilogues({3}, {3}, sizes, {sizes[2]}, dtype, transA, transB);
          expectEpilogues({1}, {3}, sizes, {1, sizes[2]}, dtype, transA, transB);
        }
}

/// [2, 1, m, k] x [3, k, n] + [n]: batches of several calls of a library.
TEST(Products, EpiloguesWithTwoBatchDimensions) {
  const int64_t m = 3, k = 5, n = 8;
  const Value a = randomValue({2, 1, m, k}, 1), b = randomValue({3, k, n}, 2), bias = randomValue({n}, 3);
  Value x{DType::F32, {2, 3, m, n}, {}};
  for (size_t i = 0; i < 2; ++i) {
    Value one{DType::F32, {m, k}, {a.v.begin() + int64_t(i) * m * k, a.v.begin() + int64_t(i + 1) * m * k}};
    const Value part = productOf(one, b, false, false);
    x.v.insert(x.v.end(), part.v.begin(), part.v.end());
  }
  for (size_t i = 0; i < x.v.size(); ++i)
    x.v[i] += bias.v[i % size_t(n)];
  Value y = x;
  for (double &v : y.v)
    v = gelu(v);
  expectCase({KernelId::MatMulBias, {a, b, bias}, {x}});
  y.shape = {6 * m, n}; // gelu's result may be in another shape
  expectCase({KernelId::MatMulBiasGelu, {a, b, bias}, {x, y}});
}

/// [2, 1, m, k] x [3, k, n] -> [2, 3, m, n]: more batches than one stride can walk.
TEST(Products, MatMulWithTwoBatchDimensions) {
  const int64_t m = 3, k = 5, n = 4;
  Value a = randomValue({2, 1, m, k}, 1), b = randomValue({3, k, n}, 2), c{DType::F32, {2, 3, m, n}, {}};
  for (size_t x = 0; x < 2; ++x) {
    Value one{DType::F32, {m, k}, {a.v.begin() + int64_t(x) * m * k, a.v.begin() + int64_t(x + 1) * m * k}};
    const Value part = productOf(one, b, false, false);
    c.v.insert(c.v.end(), part.v.begin(), part.v.end());
  }
  expectCase({KernelId::MatMul, {a, b}, {c}});
}

/// A thousand ones: a sum in bf16 would stop at 256, one in f16 at 2048.
TEST(Products, SmallFloatsAreSummedInF32) {
  for (DType dtype : {DType::BF16, DType::F16})
    expectCase(
        {KernelId::MatMul, {filled({2, 4096}, 1, dtype), filled({4096, 3}, 1, dtype)}, {filled({2, 3}, 4096, dtype)}});
}

struct Sizes {
  int64_t b, s, h, d, t, kv, e, causal;
  Shape mask; ///< empty: none
};

struct AttentionCase {
  Value q, k, v, mask, out, statistics, dOut, dq, dk, dv;
};

/// What a mask does to every fourth row of scores, which it hides whole.
struct HiddenRows {
  double value = 0; ///< of the mask there; 0: no such rows
  bool isReplacing = false;
};

constexpr double kScale = 0.3;

/// The scores of one query row; hidden keys are -inf.
std::vector<double> scoresOf(const AttentionCase &c, const Sizes &z, int64_t b, int64_t i, int64_t h) {
  std::vector<double> scores;
  for (int64_t j = 0; j < z.t; ++j) {
    double dot = 0;
    for (int64_t d = 0; d < z.d; ++d)
      dot += c.q.v[size_t(((b * z.s + i) * z.h + h) * z.d + d)] *
             c.k.v[size_t(((b * z.t + j) * z.kv + h / (z.h / z.kv)) * z.d + d)];
    dot *= kScale;
    if (!z.mask.empty()) {
      int64_t at[4] = {b, h, i, j}, flat = 0;
      for (size_t n = 0; n < 4; ++n)
        flat = flat * z.mask[n] + (z.mask[n] == 1 ? 0 : at[n]);
      dot += c.mask.v[size_t(flat)];
    }
    scores.push_back(z.causal && j > i + z.t - z.s ? -INFINITY : dot);
  }
  return scores;
}

void fillRow(AttentionCase &c, const Sizes &z, int64_t b, int64_t i, int64_t h, bool isReplacing) {
  std::vector<double> p = scoresOf(c, z, b, i, h), slope(p.size());
  const std::vector<double> scores = p;
  const double most = *std::max_element(p.begin(), p.end());
  const bool seesNothing = most == -INFINITY;
  double total = 0, dot = 0;
  for (double s : p)
    total += seesNothing ? 0 : std::exp(s - most);
  c.statistics.v[size_t((b * z.h + h) * z.s + i) * 2] = most;
  c.statistics.v[size_t((b * z.h + h) * z.s + i) * 2 + 1] = seesNothing ? 0 : std::log(total);
  const int64_t row = (b * z.s + i) * z.h + h, head = h / (z.h / z.kv);
  for (int64_t j = 0; j < z.t; ++j) {
    double &x = p[size_t(j)];
    x = seesNothing ? 0 : std::exp(x - most) / total;
    for (int64_t e = 0; e < z.e; ++e) {
      const size_t at = size_t(((b * z.t + j) * z.kv + head) * z.e + e), to = size_t(row * z.e + e);
      c.out.v[to] += x * c.v.v[at];
      slope[size_t(j)] += c.dOut.v[to] * c.v.v[at];
      c.dv.v[at] += x * c.dOut.v[to];
    }
    dot += x * slope[size_t(j)];
  }
  for (int64_t j = 0; j < z.t; ++j)
    for (int64_t d = 0; d < z.d; ++d) {
      const bool isReplaced = isReplacing && scores[size_t(j)] <= kReplacingMask;
      const double ds = isReplaced ? 0 : p[size_t(j)] * (slope[size_t(j)] - dot) * kScale;
      const size_t atQ = size_t(row * z.d + d), atK = size_t(((b * z.t + j) * z.kv + head) * z.d + d);
      c.dq.v[atQ] += ds * c.k.v[atK];
      c.dk.v[atK] += ds * c.q.v[atQ];
    }
}

void expectAttention(const Sizes &z, HiddenRows hidden = {}, DType dtype = DType::F32) {
  const Shape q = {z.b, z.s, z.h, z.d}, k = {z.b, z.t, z.kv, z.d}, v = {z.b, z.t, z.kv, z.e}, o = {z.b, z.s, z.h, z.e};
  auto random = [&](const Shape &shape, int seed) { return randomValue(shape, seed, -2, 2, dtype); };
  auto zeros = [&](const Shape &shape) { return filled(shape, 0, dtype); };
  AttentionCase c{random(q, 1), random(k, 2),
                  random(v, 3), randomValue(z.mask, 4),
                  zeros(o),     filled({z.b, z.h, z.s, 2}, 0),
                  random(o, 5), zeros(q),
                  zeros(k),     zeros(v)};
  for (size_t i = 0; i < c.mask.v.size() && !z.mask.empty(); ++i) {
    if (hidden.value != 0 && int64_t(i) / z.mask[3] % 4 == 2) c.mask.v[i] = hidden.value;
    if (i % 3 == 1) c.mask.v[i] = -INFINITY;
  }
  for (int64_t b = 0; b < z.b; ++b)
    for (int64_t i = 0; i < z.s; ++i)
      for (int64_t h = 0; h < z.h; ++h)
        fillRow(c, z, b, i, h, hidden.isReplacing);
  KernelAttributes a = attributes({{"scale", kScale}, {"causal", z.causal}, {"replaces", int64_t(hidden.isReplacing)}});
  std::vector<Value> forward = {c.q, c.k, c.v}, backward = {c.q, c.k, c.v, c.out, c.statistics, c.dOut};
  if (!z.mask.empty()) {
    forward.push_back(c.mask);
    backward.push_back(c.mask);
  }
  std::string what = "s " + std::to_string(z.s) + " t " + std::to_string(z.t) + " h " + std::to_string(z.h) +
                     " causal " + std::to_string(z.causal) + " " + nameOf(dtype).str();
  expectCase({KernelId::Attention, forward, {c.out, c.statistics}, a, std::max(2e-5, roundingOf(dtype))}, what);
  // The output is rounded before its gradient reads it.
  expectCase({KernelId::AttentionGrad, backward, {c.dq, c.dk, c.dv}, a, std::max(1e-4, 8 * roundingOf(dtype))}, what);
}

/// Heads whose rows are no whole vectors, keys of several blocks, parts of threads that share a KV head, masks in f32.
TEST(Products, AttentionOfSmallFloats) {
  for (DType dtype : {DType::BF16, DType::F16}) {
    expectAttention({2, 7, 4, 5, 7, 2, 3, 1, {}}, {}, dtype);
    expectAttention({1, 65, 6, 64, 65, 3, 64, 1, {}}, {}, dtype);
    expectAttention({1, 40, 2, 16, 37, 1, 48, 1, {}}, {}, dtype);
    expectAttention({1, 70, 3, 17, 513, 3, 33, 0, {}}, {}, dtype);
    expectAttention({1, 300, 4, 32, 300, 1, 32, 1, {}}, {}, dtype);
    expectAttention({1, 33, 2, 96, 33, 2, 128, 0, {1, 2, 1, 33}}, {}, dtype);
    expectAttention({1, 0, 2, 8, 4, 2, 8, 0, {}}, {}, dtype);
  }
}

TEST(Products, Attention) {
  for (int64_t causal : {0, 1}) {
    expectAttention({1, 1, 1, 1, 1, 1, 1, causal, {}});
    expectAttention({2, 7, 4, 5, 7, 2, 3, causal, {}});
    expectAttention({1, 65, 6, 64, 65, 3, 64, causal, {}});
    expectAttention({2, 64, 2, 32, 128, 1, 80, causal, {}});
    expectAttention({1, 40, 2, 16, 37, 1, 48, causal, {}}); // with causal the first three rows see no key
    expectAttention({1, 70, 3, 17, 513, 3, 33, causal, {}});
    expectAttention({1, 300, 4, 32, 300, 1, 32, causal, {}});
    expectAttention({1, 37, 4, 128, 70, 2, 128, causal, {}});
    expectAttention({1, 34, 2, 256, 40, 1, 200, causal, {1, 1, 34, 40}});
    expectAttention({1, 33, 2, 96, 33, 2, 128, causal, {1, 2, 1, 33}});
    expectAttention({0, 4, 2, 8, 4, 2, 8, causal, {}});
    expectAttention({1, 0, 2, 8, 4, 2, 8, causal, {}});
    const double lowest = std::numeric_limits<float>::lowest();
    for (HiddenRows hidden : {HiddenRows{}, {-INFINITY}, {lowest}, {lowest, true}}) {
      expectAttention({2, 9, 4, 8, 11, 2, 8, causal, {2, 4, 9, 11}}, hidden);
      expectAttention({2, 9, 4, 8, 11, 2, 8, causal, {1, 1, 9, 11}}, hidden);
      expectAttention({1, 37, 2, 128, 70, 2, 128, causal, {1, 1, 37, 70}}, hidden);
    }
    expectAttention({2, 9, 4, 8, 11, 2, 8, causal, {2, 1, 1, 11}});
  }
}

} // namespace
} // namespace autotp::test

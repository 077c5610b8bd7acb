/// \file Kernels that work row by row.
#include "runtime/base/philox.h"
#include "tests/conformance/kernel_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace autotp::test {
namespace {

TEST(Rows, SoftmaxAndItsGradient) {
  for (auto [rows, n] : {std::pair<int64_t, int64_t>{3, 1}, {5, 17}, {33, 1031}, {0, 4}}) {
    Value x = randomValue({rows, n}, 1, -9, 9), dy = randomValue({rows, n}, 2), y{DType::F32, {rows, n}, {}}, dx = y,
          log = y;
    for (int64_t r = 0; r < rows; ++r) {
      const double *a = &x.v[size_t(r * n)], *g = &dy.v[size_t(r * n)];
      double total = 0, dot = 0;
      for (int64_t i = 0; i < n; ++i)
        total += std::exp(a[i]);
      for (int64_t i = 0; i < n; ++i)
        dot += g[i] * std::exp(a[i]) / total;
      for (int64_t i = 0; i < n; ++i) {
        y.v.push_back(std::exp(a[i]) / total);
        log.v.push_back(a[i] - std::log(total));
        dx.v.push_back(std::exp(a[i]) / total * (g[i] - dot));
      }
    }
    expectCase({KernelId::Softmax, {x}, {y}, {}, 2e-6});
    expectCase({KernelId::LogSoftmax, {x}, {log}, {}, 2e-5});
    expectCase({KernelId::SoftmaxGrad, {y, dy}, {dx}});
  }
}

TEST(Rows, SoftmaxOfHiddenRows) {
  const double inf = INFINITY, lowest = std::numeric_limits<float>::lowest();
  Value x{DType::F32, {3, 2}, {-inf, -inf, 1, -inf, lowest, lowest}}, y{DType::F32, {3, 2}, {NAN, NAN, 1, 0, 0.5, 0.5}};
  expectCase({KernelId::Softmax, {x}, {y}});
  Value dy{DType::F32, {3, 2}, {0, 0, 2, 3, 1, 3}}, dx{DType::F32, {3, 2}, {0, 0, 0, 0, -0.5, 0.5}};
  expectCase({KernelId::SoftmaxGrad, {y, dy}, {dx}});
  dy.v[0] = 1;
  dx.v[0] = dx.v[1] = NAN;
  expectCase({KernelId::SoftmaxGrad, {y, dy}, {dx}});
}

TEST(Rows, LogSumExp) {
  for (auto [rows, n] : {std::pair<int64_t, int64_t>{3, 1}, {5, 17}, {33, 1031}, {2, 2000}, {0, 4}}) {
    Value x = randomValue({rows, n}, 1, -9, 9), y{DType::F32, {rows, 1}, {}};
    for (int64_t r = 0; r < rows; ++r) {
      double total = 0;
      for (int64_t i = 0; i < n; ++i)
        total += std::exp(x.v[size_t(r * n + i)]);
      y.v.push_back(std::log(total));
    }
    expectCase({KernelId::LogSumExp, {x}, {y}, {}, 2e-6});
  }
  const double inf = HUGE_VAL;
  Value x{DType::F32, {4, 2}, {-inf, 3, -inf, -inf, inf, 0, NAN, 1}}, y{DType::F32, {4, 1}, {3, -inf, inf, NAN}};
  expectCase({KernelId::LogSumExp, {x}, {y}, {}, 2e-6});
}

TEST(Rows, ElementsByIndex) {
  const int64_t rows = 5, n = 7, k = 3, offset = 4, all = 13; // columns 4 to 10 of 13
  Value x = randomValue({rows, n}, 1), dy = randomValue({rows, k}, 2);
  Value ids{DType::I64, {rows, k}, {4, 10, 3, 11, 0, 12, -13, -1, -2, -9, 5, 5, 8, 8, 8}};
  Value chosen{DType::F32, {rows, k}, {}}, spread = filled({rows, n}, 0);
  for (int64_t i = 0; i < rows * k; ++i) {
    const int64_t id = int64_t(ids.v[size_t(i)]), at = (id < 0 ? id + all : id) - offset;
    const bool isHere = at >= 0 && at < n;
    chosen.v.push_back(isHere ? x.v[size_t(i / k * n + at)] : 0);
    if (isHere) spread.v[size_t(i / k * n + at)] += dy.v[size_t(i)];
  }
  const KernelAttributes part = attributes({{"offset", offset}, {"rows", all}});
  for (DType dtype : {DType::I64, DType::I32}) {
    ids.dtype = dtype;
    expectCase({KernelId::GatherElements, {x, ids}, {chosen}, part, 0});
    expectCase({KernelId::ScatterElements, {ids, dy}, {spread}, part});
    for (double out : {-14.0, 13.0}) {
      Value bad = ids;
      bad.v[3] = out;
      expectStatus({KernelId::GatherElements, {x, bad}, {chosen}, part}, Status::IndexOutOfRange);
      expectStatus({KernelId::ScatterElements, {bad, dy}, {spread}, part}, Status::IndexOutOfRange);
    }
  }
  Value none{DType::I64, {0, 1}, {}};
  expectCase({KernelId::GatherElements, {filled({0, 4}, 0), none}, {filled({0, 1}, 0)}, {}, 0});
  expectCase({KernelId::ScatterElements, {integers({2, 0}, {}), filled({2, 0}, 0)}, {filled({2, 3}, 0)}, {}, 0});
}

TEST(Rows, CumSum) {
  for (DType dtype : {DType::F32, DType::F64, DType::I64, DType::I32})
    for (int64_t reverse : {0, 1})
      for (auto [rows, n] : {std::pair<int64_t, int64_t>{3, 1}, {5, 17}, {200, 33}, {0, 4}, {4, 0}}) {
        Value x{dtype, {rows, n}, {}}, y = x;
        for (int64_t i = 0; i < rows * n; ++i)
          x.v.push_back(double(i * 7 % 13 - 6));
        y.v = x.v;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t i = 1; i < n; ++i) {
            int64_t at = r * n + (reverse ? n - 1 - i : i);
            y.v[size_t(at)] += y.v[size_t(reverse ? at + 1 : at - 1)];
          }
        expectCase({KernelId::CumSum, {x}, {y}, attributes({{"reverse", reverse}})});
      }
}

TEST(Rows, TopKInDescendingOrderAndOfEqualOnesTheFirst) {
  for (DType dtype : {DType::F32, DType::F64, DType::I64, DType::I32})
    for (auto [rows, n, k] :
         {std::tuple<int64_t, int64_t, int64_t>{3, 1, 1}, {5, 17, 2}, {200, 8, 8}, {3, 9, 0}, {0, 4, 2}}) {
      Value x{dtype, {rows, n}, {}}, values{dtype, {rows, k}, {}}, indices{DType::I64, {rows, k}, {}};
      for (int64_t i = 0; i < rows * n; ++i)
        x.v.push_back(double(i * 7 % 11)); // some are equal
      for (int64_t r = 0; r < rows; ++r) {
        std::vector<int64_t> order(static_cast<size_t>(n));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [&](int64_t a, int64_t b) { return x.v[size_t(r * n + a)] > x.v[size_t(r * n + b)]; });
        for (int64_t i = 0; i < k; ++i) {
          values.v.push_back(x.v[size_t(r * n + order[size_t(i)])]);
          indices.v.push_back(double(order[size_t(i)]));
        }
      }
      expectCase({KernelId::TopK, {x}, {values, indices}, attributes({{"k", k}})});
    }
}

struct NormCase {
  Value x, scale, bias, dy, y, mean, rstd, dx, dscale, dbias;
};

/// From the formulas of the papers, in double. `centred`: LayerNorm, else RMS norm.
NormCase normCase(int64_t rows, int64_t n, double epsilon, bool centred, DType dtype) {
  const Shape all = {rows, n};
  NormCase c{randomValue(all, 1, -2, 2, dtype),
             randomValue({n}, 2),
             randomValue({n}, 3),
             randomValue(all, 4, -2, 2, dtype),
             {dtype, all, {}},
             {DType::F32, {rows}, {}},
             {DType::F32, {rows}, {}},
             {dtype, all, {}},
             filled({n}, 0),
             filled({n}, 0)};
  for (int64_t r = 0; r < rows; ++r) {
    const double *x = &c.x.v[size_t(r * n)], *g = &c.dy.v[size_t(r * n)];
    double mean = 0, square = 0, sum = 0, dot = 0;
    for (int64_t i = 0; i < n && centred; ++i)
      mean += x[i] / double(n);
    for (int64_t i = 0; i < n; ++i)
      square += (x[i] - mean) * (x[i] - mean) / double(n);
    const double s = 1 / std::sqrt(square + epsilon);
    c.mean.v.push_back(mean);
    c.rstd.v.push_back(s);
    for (int64_t i = 0; i < n; ++i) {
      const double normal = (x[i] - mean) * s;
      c.y.v.push_back(normal * c.scale.v[size_t(i)] + (centred ? c.bias.v[size_t(i)] : 0));
      c.dscale.v[size_t(i)] += g[i] * normal;
      c.dbias.v[size_t(i)] += g[i];
      sum += centred ? g[i] * c.scale.v[size_t(i)] / double(n) : 0;
      dot += g[i] * c.scale.v[size_t(i)] * normal / double(n);
    }
    for (int64_t i = 0; i < n; ++i)
      c.dx.v.push_back(s * (g[i] * c.scale.v[size_t(i)] - sum - (x[i] - mean) * s * dot));
  }
  return c;
}

TEST(Rows, Norms) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    for (auto [rows, n] : {std::pair<int64_t, int64_t>{1, 3}, {5, 17}, {129, 257}, {7, 64}, {0, 4}}) {
      KernelAttributes a = attributes({{"epsilon", 1e-5}});
      NormCase l = normCase(rows, n, 1e-5, true, dtype), r = normCase(rows, n, 1e-5, false, dtype);
      const double bound = std::max(1e-5, roundingOf(dtype));
      expectCase({KernelId::LayerNorm, {l.x, l.scale, l.bias}, {l.y, l.mean, l.rstd}, a, bound});
      expectCase({KernelId::LayerNormGrad, {l.x, l.scale, l.mean, l.rstd, l.dy}, {l.dx, l.dscale, l.dbias}, a, bound});
      expectCase({KernelId::RmsNorm, {r.x, r.scale}, {r.y, r.rstd}, a, bound});
      expectCase({KernelId::RmsNormGrad, {r.x, r.scale, r.rstd, r.dy}, {r.dx, r.dscale}, a, bound});
    }
}

TEST(Rows, Rotary) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    for (int64_t d : {6, 16})
      for (int64_t inverse : {0, 1}) {
        const int64_t b = 2, s = 5, h = 3, half = d / 2;
        Value x = randomValue({b, s, h, d}, 1, -2, 2, dtype), c = randomValue({s, half}, 2),
              n = randomValue({s, half}, 3);
        Value y = x;
        for (int64_t t = 0; t < b * s * h; ++t)
          for (int64_t i = 0; i < half; ++i) {
            size_t low = size_t(t * d + i), high = low + size_t(half), at = size_t(t / h % s * half + i);
            double sine = inverse ? -n.v[at] : n.v[at];
            y.v[low] = x.v[low] * c.v[at] - x.v[high] * sine;
            y.v[high] = x.v[high] * c.v[at] + x.v[low] * sine;
          }
        expectCase(
            {KernelId::Rotary, {x, c, n}, {y}, attributes({{"inverse", inverse}}), std::max(1e-5, roundingOf(dtype))});
      }
}

/// x [2, 3, 70]: samples along the first dimension, an index of 200 a sample of which this call has a part.
TEST(Rows, Dropout) {
  for (DType dtype : {DType::F32, DType::F64, DType::BF16, DType::F16})
    for (int64_t perSample : {0, 1}) {
      const double ratio = 0.25;
      const uint64_t seed = 12, ordinal = 5, step = 3, first = 40;
      Value x = randomValue({2, 3, 70}, 1, -2, 2, dtype), y = x;
      Value samples = integers({2, 2}, {0, 0, 1, 0}), heads = integers({3, 2}, {0, 0, 0, 200, 0, 400}),
            part = integers({70, 2}, std::vector<double>(140, 0));
      for (size_t i = 0; i < 70; ++i)
        part.v[2 * i + 1] = double(i < 30 ? i : 100 + i); // two intervals
      int dropped = 0;
      for (uint64_t i = 0; i < x.v.size(); ++i) {
        const uint64_t row = (perSample ? first : 0) + i / 210, inner = i % 70,
                       index = i / 70 % 3 * 200 + (inner < 30 ? inner : 100 + inner);
        const uint32_t word = philox(ordinal << 32 | seed, row << 32 | step, index / 4)[int(index % 4)];
        const bool isDropped = word < 0x40000000u; // a quarter of all
        dropped += isDropped;
        y.v[i] = isDropped ? 0 : x.v[i] / (1 - ratio);
      }
      EXPECT_NEAR(dropped / 420.0, ratio, 0.07);
      expectCase({KernelId::Dropout,
                  {x, integers({3}, {double(seed), double(step), double(first)}), samples, heads, part},
                  {y},
                  attributes({{"ratio", ratio}, {"ordinal", int64_t(ordinal)}, {"per_sample", perSample}}),
                  std::max(1e-6, roundingOf(dtype))});
    }
}

struct Losses {
  Value loss{DType::F32, {}, {0}}, count{DType::F32, {}, {0}}, lse, most, dlogits;
};

Losses lossesOf(const Value &x, const Value &labels, double dloss, int64_t ignored) {
  const int64_t rows = x.shape[0], n = x.shape[1];
  Losses l;
  l.lse.shape = l.most.shape = {rows};
  l.dlogits.shape = x.shape;
  for (int64_t r = 0; r < rows; ++r) {
    double total = 0, most = -INFINITY;
    for (int64_t i = 0; i < n; ++i) {
      total += std::exp(x.v[size_t(r * n + i)]);
      most = std::max(most, x.v[size_t(r * n + i)]);
    }
    const int64_t label = int64_t(labels.v[size_t(r)]);
    const bool counts = label != ignored;
    l.lse.v.push_back(std::log(total));
    l.most.v.push_back(most);
    if (counts) l.loss.v[0] += std::log(total) - x.v[size_t(r * n + label)];
    l.count.v[0] += counts;
    for (int64_t i = 0; i < n; ++i)
      l.dlogits.v.push_back(counts ? dloss * (std::exp(x.v[size_t(r * n + i)]) / total - (i == label)) : 0);
  }
  return l;
}

TEST(Rows, CrossEntropyWholeAndSharded) {
  for (int64_t ignored : {int64_t(-100), int64_t(3)})
    for (auto [rows, n] : {std::pair<int64_t, int64_t>{1, 5}, {7, 37}, {65, 1031}, {5, 2056}, {3, 20008}}) {
      Value x = randomValue({rows, n}, 1, -5, 5), labels = randomValue({rows}, 2, 0, double(n), DType::I64),
            dloss = filled({}, 0.25);
      for (int64_t r = 1; r < rows; r += 3)
        labels.v[size_t(r)] = double(ignored);
      Losses l = lossesOf(x, labels, 0.25, ignored);
      KernelAttributes a = attributes({{"ignore_index", ignored}});
      expectCase({KernelId::CrossEntropy, {x, labels}, {l.loss, l.count, l.lse}, a});
      expectCase({KernelId::CrossEntropyGrad, {x, labels, l.lse, dloss}, {l.dlogits}, a});
      expectCase({KernelId::CrossEntropyGrad, {x, labels, l.lse, dloss}, {l.dlogits}, a, 1e-5, {0}}, "in place");
      Value sums = filled({2, rows}, 0);
      for (auto [from, to] : {std::pair<int64_t, int64_t>{0, n / 2}, {n / 2, n}}) { // two shards of the classes
        Value part{DType::F32, {rows, to - from}, {}}, own = filled({2, rows}, 0), slope = part;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t i = from; i < to; ++i) {
            part.v.push_back(x.v[size_t(r * n + i)]);
            slope.v.push_back(l.dlogits.v[size_t(r * n + i)]);
            own.v[size_t(r)] += std::exp(part.v.back() - l.most.v[size_t(r)]);
            if (i == int64_t(labels.v[size_t(r)])) own.v[size_t(rows + r)] = part.v.back();
          }
        for (size_t i = 0; i < sums.v.size(); ++i)
          sums.v[i] += own.v[i];
        KernelAttributes shard = attributes({{"ignore_index", ignored}, {"class_offset", from}, {"classes", n}});
        expectCase({KernelId::CrossEntropyLocal, {part, labels, l.most}, {own}, shard});
        expectCase({KernelId::CrossEntropyGrad, {part, labels, l.lse, dloss}, {slope}, shard});
      }
      expectCase({KernelId::CrossEntropyFinish, {sums, l.most, labels}, {l.loss, l.count, l.lse}, a});
      labels.v[0] = double(n);
      expectStatus({KernelId::CrossEntropy, {x, labels}, {l.loss, l.count, l.lse}, a}, Status::IndexOutOfRange);
      expectStatus({KernelId::CrossEntropyLocal,
                    {x, labels, l.most},
                    {filled({2, rows}, 0)},
                    attributes({{"ignore_index", ignored}, {"classes", n}})},
                   Status::IndexOutOfRange);
    }
}

} // namespace
} // namespace autotp::test

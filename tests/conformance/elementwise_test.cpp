/// \file Kernels of one, two and three operands that go element by element.
#include "tests/conformance/kernel_case.h"

#include <gtest/gtest.h>

#include <cmath>

namespace autotp::test {
namespace {

using Unary = double (*)(double);
using Binary = double (*)(double, double);

constexpr double kInverseRoot2 = 0.70710678118654752;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x * kInverseRoot2)); }
double geluTanh(double x) { return 0.5 * x * (1 + std::tanh(0.79788456080286536 * (x + 0.044715 * x * x * x))); }
double silu(double x) { return x * sigmoid(x); }

/// The slope by central differences, in double.
template <Unary f> double slope(double x) { return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5; }

Value map(const Value &x, Unary f, DType dtype) {
  Value y{dtype, x.shape, {}};
  for (double v : x.v)
    y.v.push_back(f(v));
  return y;
}

TEST(Elementwise, OneOperand) {
  struct Row {
    KernelId kernel;
    Unary f;
    double low, high;
  };
  const Row rows[] = {{KernelId::Neg, [](double x) { return -x; }, -9, 9},
                      {KernelId::Exp, [](double x) { return std::exp(x); }, -20, 5},
                      {KernelId::Log, [](double x) { return std::log(x); }, 1e-3, 50},
                      {KernelId::Sqrt, [](double x) { return std::sqrt(x); }, 0, 50},
                      {KernelId::Rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.1, 50},
                      {KernelId::Reciprocal, [](double x) { return 1 / x; }, 0.1, 50},
                      {KernelId::Tanh, [](double x) { return std::tanh(x); }, -6, 6},
                      {KernelId::Sigmoid, sigmoid, -30, 30},
                      {KernelId::Erf, [](double x) { return std::erf(x); }, -5, 5},
                      {KernelId::Relu, [](double x) { return x > 0 ? x : 0; }, -2, 2},
                      {KernelId::Abs, [](double x) { return std::fabs(x); }, -2, 2},
                      {KernelId::Sin, [](double x) { return std::sin(x); }, -9, 9},
                      {KernelId::Cos, [](double x) { return std::cos(x); }, -9, 9},
                      {KernelId::Floor, [](double x) { return std::floor(x); }, -9, 9},
                      {KernelId::Sign, [](double x) { return double((x > 0) - (x < 0)); }, -9, 9},
                      {KernelId::Silu, silu, -9, 9}};
  for (const Row &row : rows)
    for (const Shape &shape : {Shape{}, Shape{0, 3}, Shape{7, 5}, Shape{3, 40001}})
      for (DType dtype : {DType::F32, DType::F64, DType::BF16, DType::F16}) {
        Value x = randomValue(shape, 3, row.low, row.high, dtype);
        expectCase({row.kernel, {x}, {map(x, row.f, dtype)}, {}, roundingOf(dtype)}, nameOf(dtype).str());
      }
  for (int isTanh : {0, 1})
    for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
      Value x = randomValue({3, 9001}, 4, -6, 6, dtype);
      expectCase({KernelId::Gelu,
                  {x},
                  {map(x, isTanh ? geluTanh : gelu, dtype)},
                  attributes({{"tanh", int64_t(isTanh)}}),
                  roundingOf(dtype)});
    }
}

TEST(Elementwise, SpecialValues) {
  double inf = INFINITY;
  Value x{DType::F32, {5}, {NAN, inf, -inf, 0, 1}};
  expectCase({KernelId::IsNan, {x}, {{DType::Bool, {5}, {1, 0, 0, 0, 0}}}});
  for (DType dtype : {DType::BF16, DType::F16}) {
    Value small{dtype, {5}, x.v};
    expectCase({KernelId::IsNan, {small}, {{DType::Bool, {5}, {1, 0, 0, 0, 0}}}});
    expectCase({KernelId::Relu, {small}, {{dtype, {5}, {NAN, inf, 0, 0, 1}}}});
    expectCase({KernelId::Add, {small, small}, {{dtype, {5}, {NAN, inf, -inf, 0, 2}}}});
  }
  expectCase({KernelId::Exp, {x}, {{DType::F32, {5}, {NAN, inf, 0, 1, M_E}}}});
  expectCase({KernelId::Tanh, {x}, {{DType::F32, {5}, {NAN, 1, -1, 0, std::tanh(1.0)}}}});
  expectCase({KernelId::Erf, {x}, {{DType::F32, {5}, {NAN, 1, -1, 0, std::erf(1.0)}}}});
  expectCase({KernelId::Relu, {x}, {{DType::F32, {5}, {NAN, inf, 0, 0, 1}}}});
  expectCase({KernelId::Sign, {x}, {{DType::F32, {5}, {0, 1, -1, 0, 1}}}});
  for (DType dtype : {DType::I64, DType::I32})
    expectCase({KernelId::Sign, {{dtype, {3}, {-7, 0, 9}}}, {{dtype, {3}, {-1, 0, 1}}}});
  expectCase({KernelId::Not, {{DType::Bool, {3}, {0, 1, 0}}}, {{DType::Bool, {3}, {1, 0, 1}}}});
}

/// The largest relative error of a kernel over a fine grid.
double worst(KernelId kernel, Unary f, double low, double high) {
  Value x{DType::F32, {100001}, {}};
  for (int i = 0; i <= 100000; ++i)
    x.v.push_back(float(low + (high - low) * i / 100000));
  Status status;
  auto y = runCase({kernel, {x}, {x}}, 1, status);
  if (!y) return llvm::consumeError(y.takeError()), INFINITY;
  double most = 0;
  for (size_t i = 0; i < x.v.size(); ++i)
    if (double w = f(x.v[i]); std::fabs(w) > 1.2e-38) most = std::max(most, std::fabs((*y)[0].v[i] - w) / std::fabs(w));
  return most;
}

TEST(Elementwise, AccuracyInUnitsOfTheLastPlace) {
  constexpr double kUlp = 1.19209e-7;
  auto e = [](double x) { return std::exp(x); };
  auto t = [](double x) { return std::tanh(x); };
  auto r = [](double x) { return std::erf(x); };
  for (auto [low, high] : {std::pair(-87.0, -10.0), {-10.0, 0.0}, {0.0, 1.0}, {1.0, 88.0}})
    EXPECT_LT(worst(KernelId::Exp, e, low, high), 2 * kUlp) << low;
  for (auto [low, high] : {std::pair(-12.0, -0.6), {-0.7, 0.7}, {0.6, 12.0}, {-1e-3, 1e-3}})
    EXPECT_LT(worst(KernelId::Tanh, t, low, high), 3 * kUlp) << low;
  for (auto [low, high] : {std::pair(-6.0, -0.9), {-0.95, 0.95}, {0.9, 6.0}, {-1e-3, 1e-3}})
    EXPECT_LT(worst(KernelId::Erf, r, low, high), 3 * kUlp) << low;
}

Value broadcast(const Value &a, const Value &b, const Shape &shape, Binary f, DType dtype) {
  Value y{dtype, shape, {}};
  auto at = [&](const Value &v, int64_t flat) {
    int64_t index = 0, stride = 1;
    for (size_t d = shape.size(), vd = v.shape.size(); d-- > 0; flat /= shape[d]) {
      if (vd == 0) continue;
      --vd;
      if (v.shape[vd] != 1) index += flat % shape[d] * stride;
      stride *= v.shape[vd];
    }
    return v.v[size_t(index)];
  };
  for (int64_t i = 0; i < elementsOf(shape); ++i)
    y.v.push_back(f(at(a, i), at(b, i)));
  return y;
}

TEST(Elementwise, TwoOperandsBroadcast) {
  struct Row {
    KernelId kernel;
    Binary f;
    bool toBool;
  };
  const Row rows[] = {{KernelId::Add, [](double a, double b) { return a + b; }, false},
                      {KernelId::Sub, [](double a, double b) { return a - b; }, false},
                      {KernelId::Mul, [](double a, double b) { return a * b; }, false},
                      {KernelId::Div, [](double a, double b) { return a / b; }, false},
                      {KernelId::Pow, [](double a, double b) { return std::pow(a, b); }, false},
                      {KernelId::Max, [](double a, double b) { return std::max(a, b); }, false},
                      {KernelId::Min, [](double a, double b) { return std::min(a, b); }, false},
                      {KernelId::Equal, [](double a, double b) { return double(a == b); }, true},
                      {KernelId::Less, [](double a, double b) { return double(a < b); }, true},
                      {KernelId::LessEqual, [](double a, double b) { return double(a <= b); }, true},
                      {KernelId::Greater, [](double a, double b) { return double(a > b); }, true},
                      {KernelId::GreaterEqual, [](double a, double b) { return double(a >= b); }, true}};
  struct Shapes {
    Shape a, b, y;
  };
  const Shapes shapes[] = {
      {{3, 5}, {3, 5}, {3, 5}},          {{3, 1, 7}, {5, 1}, {3, 5, 7}}, {{}, {4, 3}, {4, 3}},
      {{2, 3, 4}, {1}, {2, 3, 4}},       {{0, 4}, {4}, {0, 4}},          {{257, 129}, {129}, {257, 129}},
      {{257, 129}, {257, 1}, {257, 129}}};
  for (const Row &row : rows)
    for (const Shapes &s : shapes) {
      for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
        Value a = randomValue(s.a, 1, 0.5, 4, dtype), b = randomValue(s.b, 2, 0.5, 4, dtype);
        expectCase({row.kernel,
                    {a, b},
                    {broadcast(a, b, s.y, row.f, row.toBool ? DType::Bool : dtype)},
                    {},
                    std::max(1e-5, roundingOf(dtype))},
                   nameOf(dtype).str());
      }
      if (row.kernel == KernelId::Pow) continue;
      Value i = randomValue(s.a, 1, -5, 6, DType::I64), j = randomValue(s.b, 2, 1, 4, DType::I64);
      Value y = broadcast(i, j, s.y, row.f, row.toBool ? DType::Bool : DType::I64);
      for (double &v : y.v)
        v = std::trunc(v);
      expectCase({row.kernel, {i, j}, {y}});
    }
  Value p{DType::Bool, {4}, {0, 0, 1, 1}}, q{DType::Bool, {4}, {0, 1, 0, 1}};
  expectCase({KernelId::And, {p, q}, {{DType::Bool, {4}, {0, 0, 0, 1}}}});
  expectCase({KernelId::Or, {p, q}, {{DType::Bool, {4}, {0, 1, 1, 1}}}});
  expectCase({KernelId::Div, {integers({2}, {5, -7}), integers({1}, {0})}, {integers({2}, {0, 0})}}, "by zero");
  expectCase({KernelId::Where,
              {{DType::Bool, {2, 1}, {1, 0}}, {DType::F32, {3}, {1, 2, 3}}, {DType::F32, {}, {9}}},
              {{DType::F32, {2, 3}, {1, 2, 3, 9, 9, 9}}}});
}

TEST(Elementwise, Cast) {
  const DType all[] = {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32, DType::Bool, DType::U8};
  for (DType from : all)
    for (DType to : all) {
      Value x{from, {4}, {0, 1, 1, 0}}, y{to, {4}, {0, 1, 1, 0}};
      if (from != DType::Bool && to != DType::Bool) x.v[2] = y.v[2] = 96;
      expectCase({KernelId::Cast, {x}, {y}});
    }
  expectCase({KernelId::Cast, {{DType::F32, {4}, {2.9, -2.9, 0.5, -0.5}}}, {integers({4}, {2, -2, 0, 0})}},
             "truncates");
  expectCase({KernelId::Cast, {{DType::F32, {2}, {0.25, 0}}}, {{DType::Bool, {2}, {1, 0}}}});
  expectCase({KernelId::Cast,
              {{DType::F32, {3}, {1 + 1.0 / 256, 1 + 3.0 / 256, NAN}}},
              {{DType::BF16, {3}, {1, 1 + 4.0 / 256, NAN}}},
              {},
              0},
             "to even");
  const double tiny = 1.0 / (1 << 24); // f16's least denormal
  expectCase({KernelId::Cast,
              {{DType::F32,
                {9},
                {1 + 1.0 / 2048, 1 + 3.0 / 2048, 65519, 65520, -70000, NAN, tiny / 2, 1.5 * tiny, -3 * tiny}}},
              {{DType::F16, {9}, {1, 1 + 4.0 / 2048, 65504, INFINITY, -INFINITY, NAN, 0, 2 * tiny, -3 * tiny}}},
              {},
              0},
             "halves to even");
  expectCase({KernelId::Cast,
              {{DType::F16, {5}, {tiny, -1000 * tiny, 65504, INFINITY, NAN}}},
              {{DType::F64, {5}, {tiny, -1000 * tiny, 65504, INFINITY, NAN}}},
              {},
              0},
             "from f16");
}

TEST(Elementwise, ActivationGradients) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    for (const Shape &shape : {Shape{0}, Shape{5, 7}, Shape{2, 9001}}) {
      Value x = randomValue(shape, 5, -4, 4, dtype), dy = randomValue(shape, 6, -2, 2, dtype),
            up = randomValue(shape, 7, -2, 2, dtype);
      const double tolerance = std::max(1e-5, roundingOf(dtype));
      auto times = [&](Unary f) {
        Value y{dtype, shape, {}};
        for (size_t i = 0; i < x.v.size(); ++i)
          y.v.push_back(f(x.v[i]) * dy.v[i]);
        return y;
      };
      auto expectGradient = [&](KernelId kernel, Unary f, int64_t isTanh) {
        expectCase({kernel, {x, dy}, {times(f)}, attributes({{"tanh", isTanh}}), tolerance}, nameOf(dtype).str());
      };
      expectGradient(
          KernelId::ReluGrad, [](double v) { return v > 0 ? 1.0 : 0.0; }, 0);
      expectGradient(KernelId::SiluGrad, slope<silu>, 0);
      expectGradient(KernelId::GeluGrad, slope<gelu>, 0);
      expectGradient(KernelId::GeluGrad, slope<geluTanh>, 1);
      Value y = x, dgate = times(slope<silu>), dup = times(silu);
      for (size_t i = 0; i < x.v.size(); ++i) {
        y.v[i] = silu(x.v[i]) * up.v[i];
        dgate.v[i] *= up.v[i];
      }
      expectCase({KernelId::Swiglu, {x, up}, {y}, {}, tolerance});
      expectCase({KernelId::SwigluGrad, {x, up, dy}, {dgate, dup}, {}, tolerance});
    }
}

} // namespace
} // namespace autotp::test

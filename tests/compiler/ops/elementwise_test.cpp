// Values of every elementwise row, by example.
#include "op_case.h"

#include <cmath>

namespace autotp::optest {
namespace {

constexpr double kInf = HUGE_VAL;

void expectValues(const OpCase &c, llvm::ArrayRef<double> expected, size_t result = 0) {
  BuiltCase built(c);
  ASSERT_LT(result, built.results.size());
  Array y = built.evaluate(built.results[result]);
  ASSERT_EQ(y.data.size(), expected.size()) << c.op;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i]) || std::isinf(expected[i]))
      EXPECT_TRUE(y.data[i] == expected[i] || (std::isnan(y.data[i]) && std::isnan(expected[i])))
          << c.op << " element " << i << ": " << y.data[i];
    else
      EXPECT_NEAR(y.data[i], expected[i], 1e-12) << c.op << " element " << i;
  }
}

TEST(Elementwise, OneOperand) {
  const std::pair<const char *, double (*)(double)> kRows[] = {
      {"neg", [](double x) { return -x; }},
      {"exp", [](double x) { return std::exp(x); }},
      {"log", [](double x) { return std::log(x); }},
      {"sqrt", [](double x) { return std::sqrt(x); }},
      {"rsqrt", [](double x) { return std::pow(x, -0.5); }},
      {"reciprocal", [](double x) { return std::pow(x, -1); }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"sigmoid", [](double x) { return 0.5 * (1 + std::tanh(x / 2)); }},
      {"erf", [](double x) { return std::erf(x); }},
      {"relu", [](double x) { return std::fmax(x, 0); }},
      {"abs", [](double x) { return std::fabs(x); }},
      {"sin", [](double x) { return std::sin(x); }},
      {"cos", [](double x) { return std::cos(x); }},
      {"floor", [](double x) { return std::floor(x); }},
      {"sign", [](double) { return 1.0; }},
      {"silu", [](double x) { return x * 0.5 * (1 + std::tanh(x / 2)); }},
  };
  for (auto [op, f] : kRows) {
    std::vector<double> x = {0.25, 1, 1.75, 3}, y;
    for (double v : x)
      y.push_back(f(v));
    expectValues({op, {given({2, 2}, x)}}, y);
  }
  expectValues({"neg", {given({2}, {-1, 0})}}, {1, 0});
  expectValues({"relu", {given({3}, {-1, 2, NAN})}}, {0, 2, NAN});
  expectValues({"abs", {given({2}, {-1, 2})}}, {1, 2});
  expectValues({"floor", {given({2}, {-1.5, 2.5})}}, {-2, 2});
  expectValues({"sign", {given({4}, {-1.5, 0, 2, NAN})}}, {-1, 0, 1, 0});
  expectValues({"not", {given({2}, {1, 0}, DType::Bool)}}, {0, 1});
  expectValues({"is_nan", {given({3}, {NAN, kInf, 0})}}, {1, 0, 0});
}

TEST(Elementwise, Gelu) {
  expectValues({"gelu", {given({3}, {0, 1, -1})}, {{"tanh", int64_t(0)}}},
               {0, 0.8413447460685429, -0.15865525393145707});
  expectValues({"gelu", {given({3}, {0, 1, -1})}, {{"tanh", int64_t(1)}}},
               {0, 0.8411919906082768, -0.15880800939172324});
}

TEST(Elementwise, TwoOperands) {
  const std::tuple<const char *, std::vector<double>> kRows[] = {
      {"add", {4, 6, 6, 8}},           {"sub", {-2, -4, 0, -2}},  {"mul", {3, 5, 9, 15}},
      {"div", {1.0 / 3, 0.2, 1, 0.6}}, {"pow", {1, 1, 27, 243}},  {"max", {3, 5, 3, 5}},
      {"min", {1, 1, 3, 3}},           {"equal", {0, 0, 1, 0}},   {"less", {1, 1, 0, 1}},
      {"less_equal", {1, 1, 1, 1}},    {"greater", {0, 0, 0, 0}}, {"greater_equal", {0, 0, 1, 0}}};
  for (const auto &[op, expected] : kRows)
    expectValues({op, {given({2, 1}, {1, 3}), given({2}, {3, 5})}}, expected);
  expectValues({"div", {given({3}, {7, -7, 7}, DType::I64), given({3}, {2, 2, 0}, DType::I64)}}, {3, -3, 0});
  expectValues({"max", {given({2}, {NAN, 1}), given({2}, {0, 2})}}, {NAN, 2});
  expectValues({"and", {given({4}, {0, 0, 1, 1}, DType::Bool), given({4}, {0, 1, 0, 1}, DType::Bool)}}, {0, 0, 0, 1});
  expectValues({"or", {given({4}, {0, 0, 1, 1}, DType::Bool), given({4}, {0, 1, 0, 1}, DType::Bool)}}, {0, 1, 1, 1});
  expectValues({"swiglu", {given({2}, {0, 1}), given({2}, {3, 2})}}, {0, 2 / (1 + std::exp(-1))});
}

TEST(Elementwise, WhereBroadcastsAllThree) {
  expectValues({"where", {given({2, 1}, {1, 0}, DType::Bool), given({2}, {1, 2}), given({}, {9})}}, {1, 2, 9, 9});
}

TEST(Elementwise, Casts) {
  auto cast = [](std::vector<double> x, DType from, DType to, std::vector<double> y) {
    Shape shape = {int64_t(x.size())};
    expectValues({"cast", {given(shape, x, from)}, {}, Type{to, shape}}, y);
  };
  cast({1.75, -1.75, 0}, DType::F64, DType::I64, {1, -1, 0});
  cast({0.5, -1, 0}, DType::F64, DType::Bool, {1, 1, 0});
  cast({1, 0}, DType::Bool, DType::F32, {1, 0});
  cast({1.00390625, 1.01171875}, DType::F32, DType::BF16, {1, 1.015625}); // ties to even
  cast({65519, 65520, 5.9604644775390625e-08}, DType::F64, DType::F16, {65504, kInf, 5.9604644775390625e-08});
  cast({300, -1}, DType::I64, DType::U8, {255, 0});
  cast({0.1}, DType::F64, DType::F32, {double(0.1f)});
}

TEST(Elementwise, Gradients) {
  expectValues({"relu_grad", {given({3}, {-1, 0, 2}), given({3}, {5, 5, 5})}}, {0, 0, 5});
  expectValues({"silu_grad", {given({1}, {0}), given({1}, {4})}}, {2});
  expectValues({"gelu_grad", {given({1}, {0}), given({1}, {4})}, {{"tanh", int64_t(0)}}}, {2});
  expectValues({"gelu_grad", {given({1}, {0}), given({1}, {4})}, {{"tanh", int64_t(1)}}}, {2});
  OpCase swiglu{"swiglu_grad", {given({1}, {0}), given({1}, {3}), given({1}, {4})}};
  expectValues(swiglu, {6}, 0);
  expectValues(swiglu, {0}, 1);
}

} // namespace
} // namespace autotp::optest

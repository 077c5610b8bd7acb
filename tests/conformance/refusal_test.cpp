/// \file Calls that the device must refuse when the plan is loaded, and its list of kernels.
#include "tests/conformance/device_under_test.h"
#include "tests/conformance/kernel_case.h"

#include "runtime/base/error.h"
#include "runtime/plan/kernels/kernel_def.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

TEST(Refusals, EveryKernelIsKnownAndChecksItsCounts) {
  for (const KernelDef &row : allKernels()) {
    auto made = makeDeviceUnderTest(1)->prepare(row.id, KernelArgs());
    EXPECT_FALSE(bool(made)) << row.name;
    std::string text = made ? std::string() : describe(made.takeError());
    EXPECT_EQ(text.find("unknown"), std::string::npos) << text;
    EXPECT_NE(text.find(row.name), std::string::npos) << text;
  }
  expectRefused({KernelId(9999), {}, {}}, "unknown");
}

TEST(Refusals, Shapes) {
  Value a = filled({2, 3}, 1), b = filled({3, 2}, 1), square = filled({2, 2}, 1), flat = filled({5}, 1),
        q = filled({1, 2, 4, 8}, 1);
  expectRefused({KernelId::Exp, {a}, {b}}, "result 1 is f32 [3, 2]");
  expectRefused({KernelId::Add, {a, b}, {a}}, "broadcast");
  expectRefused({KernelId::MatMul, {a, a}, {square}}, "fit");
  expectRefused({KernelId::MatMul, {a, b}, {filled({3, 3}, 1)}}, "MatMul");
  expectRefused({KernelId::MatMul, {a, b}, {filled({1, 1, 2, 2}, 1)}}, "MatMul");
  expectRefused({KernelId::MatMul, {filled({2, 0}, 1), filled({0, 2}, 1)}, {filled({9, 9}, 1)}}, "MatMul");
  expectRefused({KernelId::MatMulBias, {a, b, flat}, {square}}, "bias");
  expectRefused({KernelId::MatMulBias, {a, b, filled({2, 2}, 1)}, {square}}, "bias");
  expectRefused({KernelId::MatMulBiasGelu, {a, b, filled({2}, 1)}, {square, flat}}, "a result");
  expectRefused({KernelId::MatMulGeluGrad, {a, b, filled({2}, 1)}, {square}}, "gelu's operand");
  expectRefused({KernelId::Copy, {a}, {flat}}, "'~x...'");
  expectRefused({KernelId::Transpose, {a}, {b}, attributes({{"perm", std::vector<int64_t>{0, 0}}})}, "perm");
  expectRefused({KernelId::Slice, {a}, {square}, attributes({{"axis", int64_t(1)}, {"start", int64_t(2)}})}, "outside");
  expectRefused({KernelId::Concat, {a, a}, {filled({5, 3}, 1)}, attributes({{"axis", int64_t(0)}})}, "fill");
  expectRefused({KernelId::ReduceSum, {a}, {flat}, attributes({{"axes", std::vector<int64_t>{0}}})}, "elements");
  expectRefused({KernelId::ReduceSum, {a}, {filled({3}, 1)}, attributes({{"axes", std::vector<int64_t>{7}}})}, "axis");
  expectRefused({KernelId::Softmax, {a}, {b}}, "result 1");
  expectRefused({KernelId::RmsNorm, {a, flat}, {a, filled({2}, 1)}}, "operand 2");
  expectRefused({KernelId::RmsNorm, {a, filled({3}, 1)}, {flat, filled({2}, 1)}}, "result 1");
  expectRefused({KernelId::RmsNorm, {a, filled({3}, 1)}, {a, flat}}, "result 2");
  expectRefused({KernelId::RmsNormGrad, {a, filled({3}, 1), filled({2}, 1), flat}, {a, filled({3}, 1)}}, "operand 4");
  expectRefused(
      {KernelId::LayerNormGrad, {a, filled({3}, 1), filled({2}, 1), filled({2}, 1), a}, {a, filled({3}, 1), flat}},
      "result 3");
  expectRefused(
      {KernelId::Attention, {q, filled({1, 2, 3, 8}, 1), filled({1, 2, 3, 8}, 1)}, {q, filled({1, 4, 2, 2}, 1)}},
      "divide");
  expectRefused({KernelId::Attention, {q, q, q}, {flat, filled({1, 4, 2, 2}, 1)}}, "result 1");
  expectRefused({KernelId::Attention, {q, q, q}, {q, filled({1, 4, 2}, 1)}}, "result 2");
  expectRefused({KernelId::AttentionGrad, {q, q, q, q, flat, q}, {q, q, q}}, "operand 5");
  expectRefused({KernelId::Rotary, {q, flat, flat}, {q}}, "operand 2");
  expectRefused({KernelId::Gather, {a, integers({2}, {0, 1})}, {a, a}}, "results");
  expectRefused({KernelId::CrossEntropy, {a, integers({2}, {0, 1})}, {filled({}, 0), filled({}, 0), flat}}, "result 3");
  expectRefused({KernelId::CrossEntropyGrad, {a, integers({2}, {0, 1}), filled({2}, 0), filled({}, 0)}, {flat}},
                "result 1");
  expectRefused({KernelId::Adam, {a, a, a, flat, filled({}, 1), filled({}, 1), filled({}, 1)}, {a, a, a}}, "operand 4");
  expectRefused({KernelId::Sgd, {a, a, filled({}, 1), filled({}, 1)}, {a}}, "operands");
  expectRefused({KernelId::Adagrad, {a, a, flat, filled({}, 1), filled({}, 1), filled({}, 1)}, {a, a}}, "operand 3");
  expectRefused({KernelId::Momentum, {a, a, a, filled({}, 1), filled({}, 1), filled({}, 1)}, {a, a}}, "in place only");
  expectRefused(
      {KernelId::Adam, {a, a, a, a, filled({0}, 1), filled({}, 1), filled({}, 1)}, {a, a, a}, {}, 0, {0, 1, 2}},
      "operand 5");
}

TEST(Refusals, DTypes) {
  Value x = filled({4}, 1), i = filled({4}, 1, DType::I64), m = filled({2, 2}, 1, DType::F64),
        d = filled({}, 1, DType::F64);
  expectRefused({KernelId::Exp, {i}, {i}}, "i64");
  expectRefused({KernelId::Add, {x, i}, {x}}, "i64");
  expectRefused({KernelId::Equal, {x, x}, {x}}, "bool");
  expectRefused({KernelId::MatMul, {m, m}, {m}}, "f64");
  expectRefused({KernelId::Softmax, {m}, {m}}, "f64");
  expectRefused({KernelId::GradScale, {d, d}, {d, d}}, "f64");
  expectRefused({KernelId::Where, {x, x, x}, {x}}, "operand 1");
  expectRefused({KernelId::CrossEntropyFinish, {filled({2, 4}, 1), x, x}, {filled({}, 0), filled({}, 0), x}},
                "operand 3");
  expectRefused({KernelId::Gather, {filled({2, 2}, 1), x}, {filled({4, 2}, 1)}}, "f32");
}

TEST(Refusals, Workspace) {
  Value q = filled({1, 2, 4, 8}, 1), statistics = filled({1, 4, 2, 2}, 1), x = filled({3, 4}, 1), n = filled({4}, 1),
        r = filled({3}, 1);
  if (needsWorkspace(KernelId::Attention))
    expectRefused({KernelId::Attention, {q, q, q}, {q, statistics}}, "workspace", 64);
  expectRefused({KernelId::AttentionGrad, {q, q, q, q, statistics, q}, {q, q, q}}, "workspace", 16);
  expectRefused({KernelId::RmsNormGrad, {x, n, r, x}, {x, n}}, "workspace", 8);
  expectRefused({KernelId::LayerNormGrad, {x, n, r, r, x}, {x, n, n}}, "workspace", 8);
  expectRefused({KernelId::CrossEntropy, {x, integers({3}, {0, 1, 2})}, {filled({}, 0), filled({}, 0), r}}, "workspace",
                4);
}

} // namespace
} // namespace autotp::test

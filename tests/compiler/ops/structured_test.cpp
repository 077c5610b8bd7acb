// Values of the rows that look beyond one element: movement, products, norms, attention, lookups, losses, optimizer.
#include "op_case.h"

#include "compiler/axes/index_text.h"

#include <cmath>

namespace autotp::optest {
namespace {

void expectValues(const OpCase &c, llvm::ArrayRef<double> expected, size_t result = 0) {
  BuiltCase built(c);
  ASSERT_LT(result, built.results.size());
  Array y = built.evaluate(built.results[result]);
  ASSERT_EQ(y.data.size(), expected.size()) << c.op;
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(y.data[i] == expected[i] || std::fabs(y.data[i] - expected[i]) <= 1e-12)
        << c.op << " element " << i << ": " << y.data[i];
}

const std::vector<double> kSix = {1, 2, 3, 4, 5, 6};

TEST(Movement, Values) {
  expectValues({"transpose", {given({2, 3}, kSix)}, {{"perm", list({1, 0})}}}, {1, 4, 2, 5, 3, 6});
  expectValues({"transpose", {given({1, 2, 3}, kSix)}, {{"perm", list({2, 0, 1})}}}, {1, 4, 2, 5, 3, 6});
  expectValues({"reshape", {given({2, 3}, kSix)}, {}, Type{DType::F64, {3, 2}}}, kSix);
  expectValues({"expand", {given({2, 1}, {1, 2})}, {}, Type{DType::F64, {2, 2, 2}}}, {1, 1, 2, 2, 1, 1, 2, 2});
  expectValues({"slice",
                {given({2, 3}, kSix)},
                {{"axis", int64_t(1)}, {"length", int64_t(2)}, {"start", int64_t(0)}, {"step", int64_t(2)}}},
               {1, 3, 4, 6});
  expectValues({"slice", {given({3, 2}, kSix)}, {{"axis", int64_t(0)}, {"length", int64_t(2)}, {"start", int64_t(1)}}},
               {3, 4, 5, 6});
  expectValues({"concat", {given({2, 1}, {1, 2}), given({2, 2}, {3, 4, 5, 6})}, {{"axis", int64_t(1)}}},
               {1, 3, 4, 2, 5, 6});
  expectValues({"full", {}, {{"value", 2.5}}, Type{DType::F64, {3}}}, {2.5, 2.5, 2.5});
}

TEST(Reduce, Values) {
  Attributes rows = {{"axes", list({1})}, {"keepdims", int64_t(0)}},
             columns = {{"axes", list({0})}, {"keepdims", int64_t(1)}};
  expectValues({"reduce_sum", {given({2, 3}, kSix)}, rows}, {6, 15});
  expectValues({"reduce_sum", {given({2, 3}, kSix)}, columns}, {5, 7, 9});
  expectValues({"reduce_max", {given({2, 3}, kSix)}, rows}, {3, 6});
  expectValues({"reduce_max", {given({2, 3}, {-1, -2, -3, -4, -5, -6})}, columns}, {-1, -2, -3});
}

TEST(MatMul, EveryOrientation) {
  auto flags = [](int64_t a, int64_t b) { return Attributes{{"trans_a", a}, {"trans_b", b}}; };
  const std::vector<double> kTurned = {1, 4, 2, 5, 3, 6};
  expectValues({"matmul", {given({2, 3}, kSix), given({3, 2}, kSix)}, flags(0, 0)}, {22, 28, 49, 64});
  expectValues({"matmul", {given({3, 2}, kTurned), given({3, 2}, kSix)}, flags(1, 0)}, {22, 28, 49, 64});
  expectValues({"matmul", {given({2, 3}, kSix), given({2, 3}, {1, 3, 5, 2, 4, 6})}, flags(0, 1)}, {22, 28, 49, 64});
  expectValues({"matmul", {given({2, 1, 1}, {2, 3}), given({1, 2}, {5, 7})}, flags(0, 0)}, {10, 14, 15, 21});
}

TEST(MatMul, Epilogues) {
  const Attributes plain{{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}};
  const std::vector<double> x = {0, 1, 27, 37};
  for (const Shape &bias : {Shape{2}, Shape{1, 2}}) {
    const std::vector<Operand> operands = {given({2, 3}, kSix), given({3, 2}, kSix), given(bias, {-22, -27})};
    expectValues({"matmul_bias", operands, plain}, x);
    expectValues({"matmul_bias_gelu", operands, plain}, x, 0);
    expectValues({"matmul_bias_gelu", operands, plain}, {0, 0.8411919906082768, 27, 37}, 1);
  }
}

TEST(MatMul, GeluGradEpilogue) {
  // gelu' in the tanh form at 0, 1 and far out
  const std::vector<Operand> operands = {given({2, 3}, kSix), given({3, 2}, kSix), given({2, 2}, {0, 1, 27, -27})};
  expectValues({"matmul_gelu_grad", operands, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}}},
               {11, 28 * 1.0829640838457826, 49, 0});
}

/// What is fused is the same index in every operand and result that has it: rows of a, columns of b and the bias.
TEST(MatMul, AxesOfEpilogues) {
  for (const char *op : {"matmul_bias", "matmul_bias_gelu", "matmul_gelu_grad"}) {
    AxisArena arena;
    const bool isBias = llvm::StringRef(op) != "matmul_gelu_grad";
    const Types operands{
        {DType::F32, {7, 2, 3}}, {DType::F32, {5, 3}}, {DType::F32, isBias ? Shape{1, 5} : Shape{7, 2, 5}}};
    const Attributes attributes{{"trans_a", int64_t(0)}, {"trans_b", int64_t(1)}};
    const Types results = llvm::cantFail(findOp(op)->infer({operands, attributes, {}}));
    const IndexTerms terms = findOp(op)->axisRule(arena, {operands, attributes, results});
    for (size_t j = 0; j < results.size(); ++j) {
      EXPECT_EQ(terms.outs[j][0], terms.ins[0][0]);
      EXPECT_EQ(terms.outs[j][1], terms.ins[0][1]);
      EXPECT_EQ(terms.outs[j][2], terms.ins[1][0]);
      EXPECT_EQ(terms.outs[j][2], terms.ins[2].back());
    }
    EXPECT_EQ(terms.ins[0][2], terms.ins[1][1]);
  }
}

TEST(Lookup, Values) {
  Operand table = given({3, 2}, kSix), ids = given({4}, {2, 0, 1, 2}, DType::I64);
  expectValues({"gather", {table, ids}}, {5, 6, 1, 2, 3, 4, 5, 6});
  expectValues({"gather", {table, given({2}, {4, 0}, DType::I64)}, {{"offset", int64_t(3)}, {"rows", int64_t(6)}}},
               {3, 4, 0, 0}); // not here: 0
  expectValues({"gather", {table, given({1}, {-1}, DType::I64)}}, {5, 6});
  Operand dy = given({4, 2}, {1, 1, 2, 2, 3, 3, 4, 4});
  expectValues({"scatter_add", {ids, dy}, {}, Type{DType::F64, {3, 2}}}, {2, 2, 3, 3, 5, 5});
  expectValues({"scatter_add", {ids, dy}, {{"offset", int64_t(1)}}, Type{DType::F64, {2, 2}}}, {3, 3, 5, 5});
}

TEST(Lookup, ElementsOfRows) {
  const Operand x = given({2, 3}, kSix), ids = given({2, 2}, {2, -3, 1, 1}, DType::I64);
  expectValues({"gather_elements", {x, ids}}, {3, 1, 5, 5});
  const Attributes part = {{"offset", int64_t(2)}, {"rows", int64_t(5)}}; // columns 2, 3 and 4 of five
  expectValues({"gather_elements", {x, given({2, 2}, {1, 3, -1, 4}, DType::I64)}, part}, {0, 2, 6, 6});
  const Operand dy = given({2, 2}, {1, 2, 3, 4});
  expectValues({"scatter_elements", {ids, dy}, {}, Type{DType::F64, {2, 3}}}, {2, 0, 1, 0, 7, 0});
  expectValues({"scatter_elements", {given({2, 2}, {1, 3, -1, 4}, DType::I64), dy}, part, Type{DType::F64, {2, 3}}},
               {0, 2, 0, 0, 0, 7});
}

TEST(Norms, Values) {
  expectValues({"cumsum", {given({2, 3}, {1, 2, 3, 4, 5, 6})}, {{"reverse", int64_t(0)}}}, {1, 3, 6, 4, 9, 15});
  expectValues({"cumsum", {given({3}, {1, 2, 3})}, {{"reverse", int64_t(1)}}}, {6, 5, 3});
  expectValues({"top_k", {given({2, 3}, {1, 5, 5, 9, 7, 8})}, {{"k", int64_t(2)}}}, {5, 5, 9, 8});
  expectValues({"top_k", {given({2, 3}, {1, 5, 5, 9, 7, 8})}, {{"k", int64_t(2)}}}, {1, 2, 0, 2}, 1);
  expectValues({"softmax", {given({2, 2}, {0, std::log(3.0), 5, 5})}}, {0.25, 0.75, 0.5, 0.5});
  expectValues({"log_softmax", {given({2, 2}, {0, std::log(3.0), 1e4, 1e4 - 800})}},
               {std::log(0.25), std::log(0.75), 0, -800});
  expectValues({"log_sum_exp", {given({2, 2}, {0, std::log(3.0), -HUGE_VAL, 5})}}, {std::log(4.0), 5});
  expectValues({"softmax_grad", {given({2}, {0.25, 0.75}), given({2}, {4, 0})}}, {0.75, -0.75});
  OpCase layer{"layer_norm", {given({1, 2}, {1, 3}), given({2}, {2, 2}), given({2}, {5, 6})}, {{"epsilon", 0.0}}};
  expectValues(layer, {3, 8}, 0);
  expectValues(layer, {2}, 1);
  expectValues(layer, {1}, 2);
  OpCase rms{"rms_norm", {given({1, 2}, {3, 3}), given({2}, {1, 2})}, {{"epsilon", 7.0}}};
  expectValues(rms, {0.75, 1.5}, 0);
  expectValues(rms, {0.25}, 1);
  OpCase layerGrad{
      "layer_norm_grad",
      {given({1, 2}, {1, 3}), given({2}, {2, 2}), given({1}, {2}), given({1}, {1}), given({1, 2}, {1, 2})}};
  expectValues(layerGrad, {0, 0}, 0);
  expectValues(layerGrad, {-1, 2}, 1);
  expectValues(layerGrad, {1, 2}, 2);
  OpCase rmsGrad{"rms_norm_grad", {given({1, 2}, {1, 1}), given({2}, {1, 1}), given({1}, {1}), given({1, 2}, {1, 3})}};
  expectValues(rmsGrad, {-1, 1}, 0);
  expectValues(rmsGrad, {1, 3}, 1);
}

TEST(Attention, Values) {
  double l = std::log(3.0);
  // One head, keys 0 and 1: query 1 scores them 0 and ln 3.
  OpCase c{"attention",
           {given({1, 2, 1, 1}, {7, 1}), given({1, 2, 1, 1}, {0, l}), given({1, 2, 1, 1}, {4, 8})},
           {{"causal", int64_t(1)}, {"scale", 1.0}}};
  expectValues(c, {4, 7}, 0);
  expectValues(c, {0, 0, l, std::log(4.0 / 3)}, 1);
  c.operands.push_back(given({1, 1, 2, 2}, {-HUGE_VAL, 0, 0, -l})); // causal hides key 1 from query 0: no key is left
  expectValues(c, {0, 6}, 0);
  expectValues(c, {-HUGE_VAL, 0, 0, std::log(2.0)}, 1);
  OpCase grad{"attention_grad",
              {given({1, 1, 1, 1}, {1}), given({1, 1, 1, 1}, {1}), given({1, 1, 1, 1}, {3}), given({1, 1, 1, 1}, {3}),
               given({1, 1, 1, 2}, {1, 0}), given({1, 1, 1, 1}, {5})},
              {{"causal", int64_t(0)}, {"scale", 1.0}}};
  expectValues(grad, {0}, 0); // a softmax of one key is constant
  expectValues(grad, {0}, 1);
  expectValues(grad, {5}, 2);
}

TEST(Rotary, Values) {
  for (int64_t inverse : {0, 1})
    expectValues(
        {"rotary", {given({1, 1, 1, 2}, {3, 4}), given({1, 1}, {0.5}), given({1, 1}, {2})}, {{"inverse", inverse}}},
        inverse ? std::vector<double>{9.5, -4} : std::vector<double>{-6.5, 8});
}

TEST(Loss, WholeAndInParts) {
  double l = std::log(3.0);
  Operand logits = given({3, 2}, {0, l, l, 0, 9, 9}), labels = given({3}, {1, 1, -100}, DType::I64);
  OpCase whole{"cross_entropy", {logits, labels}, {{"ignore_index", int64_t(-100)}}};
  expectValues(whole, {std::log(4 / 3.0) + std::log(4.0)}, 0);
  expectValues(whole, {2}, 1);
  expectValues(whole, {std::log(4.0), std::log(4.0), 9 + std::log(2.0)}, 2);
  // Class 1 alone, with the maxima known.
  Operand largest = given({3}, {l, l, 9});
  OpCase local{"cross_entropy_local",
               {given({3, 1}, {l, 0, 9}), labels, largest},
               {{"class_offset", int64_t(1)}, {"classes", int64_t(2)}, {"ignore_index", int64_t(-100)}}};
  expectValues(local, {1, 1 / 3.0, 1, l, 0, 0});
  OpCase finish{"cross_entropy_finish",
                {given({2, 3}, {4 / 3.0, 4 / 3.0, 2, l, 0, 0}), largest, labels},
                {{"ignore_index", int64_t(-100)}}};
  expectValues(finish, {std::log(4 / 3.0) + std::log(4.0)}, 0);
  expectValues(finish, {2}, 1);
  Operand lse = given({3}, {std::log(4.0), std::log(4.0), 9}), dloss = given({}, {2});
  expectValues({"cross_entropy_grad", {logits, labels, lse, dloss}, {{"ignore_index", int64_t(-100)}}},
               {0.5, -0.5, 1.5, -1.5, 0, 0});
}

TEST(Optimizer, Values) {
  expectValues({"accumulate", {given({2}, {1, 2}), given({2}, {3, 4})}}, {4, 6});
  expectValues({"sum_squares", {given({4}, {1, 2, 3, 4})}, {{"begins", list({0, 3})}, {"ends", list({1, 4})}}}, {17});
  OpCase scale{"grad_scale", {given({}, {400}), given({}, {2})}, {{"max_norm", 5.0}}};
  expectValues(scale, {0.5 * 5 / (10 + 1e-6)}, 0);
  expectValues(scale, {10}, 1);
  scale.attributes.set("max_norm", 0.0);
  expectValues(scale, {0.5}, 0);
  // The first step of Adam moves by lr, whatever the gradient; only element 0 decays.
  OpCase adam{"adam",
              {given({2}, {1, 1}), given({2}, {0, 0}), given({2}, {0, 0}), given({2}, {8, -2}), given({}, {0.5}),
               given({}, {0.1}), given({}, {1})},
              {{"beta1", 0.9},
               {"beta2", 0.99},
               {"epsilon", 0.0},
               {"corrects_root", int64_t(1)},
               {"decay_before", 0.5},
               {"begins", list({0})},
               {"ends", list({1})}}};
  expectValues(adam, {0.85, 1.1}, 0);
  expectValues(adam, {0.4, -0.1}, 1);
  expectValues(adam, {0.16, 0.01}, 2);
  // Uncorrected at a count of 0: m = 0.4, sqrt(v) = 0.4; what decays after it is all there is.
  adam.operands[6] = given({}, {0});
  adam.attributes = {{"beta1", 0.9},        {"beta2", 0.99},       {"epsilon", 0.0},   {"decay_after", 0.5},
                     {"shrink_after", 0.5}, {"begins", list({0})}, {"ends", list({1})}};
  expectValues(adam, {0.9 * 0.95 * 0.5, 1.1}, 0);
}

TEST(Optimizer, OtherUpdates) {
  const std::vector<Operand> operands = {given({2}, {1, 1}), given({2}, {3, 0}), given({2}, {8, -2}),
                                         given({}, {0.5}),   given({}, {0.1}),   given({}, {2})};
  const Attributes segment = {{"begins", list({0})}, {"ends", list({1})}};
  auto with = [&](std::initializer_list<std::pair<std::string, Attributes::Value>> numbers) {
    Attributes all = segment;
    for (const auto &[name, value] : numbers)
      all.set(name, value);
    return all;
  };
  OpCase adagrad{"adagrad", operands, with({{"epsilon", 1.0}, {"l2", 1.0}, {"rate_decay", 0.5}})};
  expectValues(adagrad, {1 - 0.05 * 5 / (std::sqrt(28.0) + 1), 1 + 0.05 / 2}, 0); // g = 4 + 1, and -1
  expectValues(adagrad, {28, 1}, 1);
  OpCase momentum{"momentum", operands, with({{"beta", 0.5}, {"l2", 1.0}, {"momentum", 0.9}})};
  expectValues(momentum, {1 - 0.1 * 5.2, 1 + 0.1 * 0.5}, 0);
  expectValues(momentum, {5.2, -0.5}, 1);
  momentum.attributes.set("nesterov", int64_t(1));
  expectValues(momentum, {1 - 0.1 * (5 + 0.9 * 5.2), 1 + 0.1 * (1 + 0.9 * 0.5)}, 0);
  momentum.operands[5] = given({}, {0}); // the first update takes all of the gradient
  expectValues(momentum, {7.7, -1}, 1);
  OpCase sgd{"sgd",
             {given({2}, {1, 1}), given({2}, {8, -2}), given({}, {0.5}), given({}, {0.1}), given({}, {2})},
             with({{"l2", 1.0}})};
  expectValues(sgd, {0.5, 1.1}, 0);
}

} // namespace
} // namespace autotp::optest

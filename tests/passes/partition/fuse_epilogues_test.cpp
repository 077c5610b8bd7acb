/// \file Which biases and gelus become part of a product, and which do not.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/partition/fuse_epilogues.h"

#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"
#include "tests/fixtures/run_fixture.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// The operators of a program after fusion. `inState`: a value that lies in a state.
std::string fused(const std::string &body, const std::string &returned, const char *inState = nullptr) {
  Section section{"micro_step",
                  parsed("graph {\n  input %x : f32[2,4,8]\n  parameter %w : f32[8,16]\n"
                         "  parameter %bias : f32[16]\n  parameter %square : f32[4,16]\n" +
                         body + "  return y=%" + returned + "\n}\n"),
                  llvm::DenseMap<ValueId, StateSlice>()};
  Graph &g = section.graph;
  for (ValueId v = 0; inState && v < g.numValues(); ++v)
    if (g.value(v).name == inState) section.stateSlices[v] = StateSlice{0};
  fuseEpilogues(section);
  llvm::Error error = verify(g);
  EXPECT_FALSE(bool(error)) << describe(std::move(error)) << printed(g);
  std::string all;
  for (NodeId id : g.order())
    all += (all.empty() ? "" : " ") + g.node(id).op.str();
  return all;
}

const std::string kProduct = "  %p = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[2,4,16]\n";
const std::string kSum = kProduct + "  %s = add(%p, %bias) : f32[2,4,16]\n";
const std::string kGelu = kSum + "  %g = gelu(%s) {tanh=1} : f32[2,4,16]\n";

TEST(FuseEpilogues, ABiasOnEitherSide) {
  EXPECT_EQ(fused(kSum, "s"), "matmul_bias");
  EXPECT_EQ(fused(kProduct + "  %s = add(%bias, %p) : f32[2,4,16]\n", "s"), "matmul_bias");
}

TEST(FuseEpilogues, GeluWhereItsOperandIsKept) {
  const std::string kept = "  %y = gelu_grad(%s, %g) {tanh=1} : f32[2,4,16]\n";
  EXPECT_EQ(fused(kGelu + kept, "y"), "matmul_bias_gelu gelu_grad");
  EXPECT_EQ(fused(kGelu, "g"), "matmul_bias gelu") << "it is computed in its operand's place";
  EXPECT_EQ(fused(kSum + "  %g = gelu(%s) {tanh=0} : f32[2,4,16]\n" + kept, "y"), "matmul_bias gelu gelu_grad")
      << "cuBLASLt has the tanh form alone";
}

/// As TorchScript exports it: a product of rows, and everything else on their batch.
TEST(FuseEpilogues, ThroughOtherShapesOfTheSameElements) {
  const std::string rows = "  %xr = reshape(%x) : f32[8,8]\n"
                           "  %p = matmul(%xr, %w) {trans_a=0, trans_b=0} : f32[8,16]\n";
  const std::string sum = rows + "  %s = add(%p, %bias) : f32[8,16]\n  %sr = reshape(%s) : f32[2,4,16]\n"
                                 "  %g = gelu(%sr) {tanh=1} : f32[2,4,16]\n";
  EXPECT_EQ(fused(sum + "  %y = gelu_grad(%sr, %g) {tanh=1} : f32[2,4,16]\n", "y"),
            "reshape matmul_bias_gelu reshape gelu_grad");
  EXPECT_EQ(fused(sum, "g"), "reshape matmul_bias reshape gelu");
  EXPECT_EQ(fused("  parameter %at : f32[2,4,16]\n" + rows +
                      "  %pr = reshape(%p) : f32[2,4,16]\n"
                      "  %d = gelu_grad(%at, %pr) {tanh=1} : f32[2,4,16]\n",
                  "d"),
            "reshape matmul_gelu_grad");
  EXPECT_EQ(fused("  parameter %b : f32[8]\n" + rows +
                      "  %pr = reshape(%p) : f32[8,2,8]\n"
                      "  %s = add(%pr, %b) : f32[8,2,8]\n",
                  "s"),
            "reshape matmul reshape add")
      << "its last dimension is not the product's columns";
}

TEST(FuseEpilogues, GeluGradAfterTheProductThatItScales) {
  const std::string kept = "  parameter %at : f32[2,4,16]\n";
  const std::string grad = kProduct + "  %d = gelu_grad(%at, %p) {tanh=1} : f32[2,4,16]\n";
  EXPECT_EQ(fused(kept + grad, "d"), "matmul_gelu_grad");
  EXPECT_EQ(fused(kept + kProduct + "  %d = gelu_grad(%p, %at) {tanh=1} : f32[2,4,16]\n", "d"), "matmul gelu_grad");
  EXPECT_EQ(fused(kept + kProduct + "  %d = gelu_grad(%at, %p) {tanh=0} : f32[2,4,16]\n", "d"), "matmul gelu_grad");
  EXPECT_EQ(fused(kept + grad, "d", "d"), "matmul gelu_grad") << "its result lies in a state";
}

TEST(FuseEpilogues, WhatIsNoEpilogue) {
  EXPECT_EQ(fused(kProduct + "  %s = add(%p, %square) : f32[2,4,16]\n", "s"), "matmul add") << "no vector";
  EXPECT_EQ(fused(kSum + "  %y = mul(%s, %p) : f32[2,4,16]\n", "y"), "matmul add mul") << "the product is used twice";
  EXPECT_EQ(fused(kProduct + "  %r = all_reduce(%p) {axis=\"tp\", group=[0,1], reduce=\"sum\"} : f32[2,4,16]\n"
                             "  %s = add(%r, %bias) : f32[2,4,16]\n",
                  "s"),
            "matmul all_reduce add")
      << "a sum is pending";
  EXPECT_EQ(fused(kSum, "s", "p"), "matmul add") << "the product lies in a state";
  EXPECT_EQ(fused(kSum, "s", "s"), "matmul add") << "the sum lies in a state";
}

/// How many products of a fixture's program have an epilogue: a bias alone, with gelu, gelu's gradient.
std::array<int, 3> epilogues(const char *fixture, int tp, bool sequenceParallel = false) {
  CompileOptions options = test::fixtureOptions(fixture);
  options.step.tp = tp;
  options.sequenceParallel = sequenceParallel;
  const CompiledModel compiled = llvm::cantFail(compile(options));
  std::array<int, 3> count{};
  constexpr KernelId kKernels[] = {KernelId::MatMulBias, KernelId::MatMulBiasGelu, KernelId::MatMulGeluGrad};
  for (const plan::Instruction &step : compiled.ranks.emitted[0].sections(0).instructions())
    for (size_t i = 0; i < count.size(); ++i)
      count[i] += step.has_kernel() && KernelId(step.kernel().kernel()) == kKernels[i];
  return count;
}

/// Two layers of four products. At tp 2 the attention's and the feed-forward's second are reduced before their bias.
TEST(FuseEpilogues, Gpt2) {
  EXPECT_EQ(epilogues("gpt2", 1), (std::array{6, 2, 2}));
  EXPECT_EQ(epilogues("gpt2", 2), (std::array{2, 2, 2}));
  EXPECT_EQ(epilogues("gpt2", 2, /*sequenceParallel=*/true), (std::array{2, 2, 2}));
}

} // namespace
} // namespace autotp

/// \file Which operators run in small floats, and where the casts are.
#include "passes/train/lower_precision.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "passes/import/canonicalise.h"
#include "passes/train/differentiate.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// What a node computes in: the dtype of its first result.
std::string dtypeOf(const Graph &graph, llvm::StringRef op) {
  std::string all;
  for (NodeId id : graph.order())
    if (graph.node(id).is(op))
      all += (all.empty() ? "" : " ") + nameOf(graph.type(graph.node(id).results[0]).dtype).str();
  return all;
}

void expectSound(const Graph &graph) {
  llvm::Error error = verify(graph);
  EXPECT_FALSE(bool(error)) << describe(std::move(error)) << printed(graph);
}

constexpr const char *kModel = R"(graph {
  input %ids : i64[6]
  input %labels : i64[6]
  parameter %table : f32[9,4]
  parameter %scale : f32[4]
  parameter %head : f32[4,9]
  %x = gather(%table, %ids) : f32[6,4]
  %t = tanh(%x) : f32[6,4]
  %n, %r = rms_norm(%t, %scale) {epsilon=1e-06} : f32[6,4], f32[6]
  %y = matmul(%n, %head) {trans_a=0, trans_b=0} : f32[6,9]
  %z = neg(%y) : f32[6,9]
  %sum, %count, %lse = cross_entropy(%z, %labels) {ignore_index=-100} : f32[], f32[], f32[6]
  %loss = div(%sum, %count) : f32[]
  return loss=%loss
}
)";

TEST(LowerPrecision, ProductsAndNormsAreLowAndTheLossIsNot) {
  for (DType low : {DType::BF16, DType::F16}) {
    const std::string name = nameOf(low).str();
    Graph graph = parsed(kModel);
    lowerPrecision(graph, low);
    llvm::cantFail(canonicalise(graph));
    expectSound(graph);
    for (const ParameterInfo &parameter : graph.parameters)
      EXPECT_EQ(graph.type(parameter.value).dtype, low);
    EXPECT_EQ(dtypeOf(graph, "gather"), name);
    EXPECT_EQ(dtypeOf(graph, "tanh"), name);
    EXPECT_EQ(dtypeOf(graph, "rms_norm"), name);
    EXPECT_EQ(dtypeOf(graph, "matmul"), name);
    EXPECT_EQ(dtypeOf(graph, "neg"), "f32") << "after the last product comes the loss";
    EXPECT_EQ(dtypeOf(graph, "div"), "f32");
    EXPECT_EQ(dtypeOf(graph, "cast"), "f32 f32") << "of the norm's scale, and before the loss\n" << printed(graph);
  }
}

TEST(LowerPrecision, GradientsAreOfTheDtypesOfTheirValuesAndSumsAreInF32) {
  Graph graph = parsed(kModel);
  lowerPrecision(graph, DType::BF16);
  llvm::cantFail(canonicalise(graph));
  llvm::cantFail(differentiate(graph).takeError());
  lowerGradients(graph, DType::BF16);
  llvm::cantFail(canonicalise(graph));
  expectSound(graph);
  EXPECT_EQ(dtypeOf(graph, "matmul"), "bf16 bf16 f32") << "of a parameter's gradient, the last, the sum is kept";
  EXPECT_EQ(dtypeOf(graph, "rms_norm_grad"), "bf16");
  EXPECT_EQ(dtypeOf(graph, "scatter_add"), "f32");
  // What was summed in f32 is handed on in f32.
  std::vector<DType> gradients;
  for (auto [parameter, gradient] : gradientOutputs(graph))
    gradients.push_back(graph.type(gradient).dtype);
  EXPECT_EQ(gradients, (std::vector<DType>{DType::F32, DType::F32, DType::F32}));
}

/// Its gradient comes by operators that know one type.
TEST(LowerPrecision, ANormWhoseStatisticIsReadIsInF32) {
  std::string text = kModel;
  const std::string from = "%z = neg(%y) : f32[6,9]";
  text.replace(text.find(from), from.size(), "%c = reshape(%r) : f32[6,1]\n  %z = mul(%y, %c) : f32[6,9]");
  Graph graph = parsed(text.c_str());
  lowerPrecision(graph, DType::BF16);
  llvm::cantFail(differentiate(graph).takeError());
  lowerGradients(graph, DType::BF16);
  expectSound(graph);
  EXPECT_EQ(dtypeOf(graph, "rms_norm"), "f32");
}

/// The mask and its gradient are f32, and so are the statistics.
TEST(LowerPrecision, AttentionIsLowAndItsMaskIsNot) {
  Graph graph;
  const Type heads{DType::F32, {1, 3, 2, 4}};
  const ValueId x = graph.addParameter("x", heads), mask = graph.addParameter("mask", Type{DType::F32, {1, 2, 3, 3}}),
                w = graph.addParameter("w", Type{DType::F32, {4, 4}});
  for (ValueId parameter : {x, mask, w})
    graph.parameters.push_back({parameter, {}});
  Builder b(graph);
  const ValueId out = b.makeMany("attention", {x, x, x, mask}, {{"scale", 1.0}, {"causal", int64_t(0)}})[0];
  const ValueId y = b.make("matmul", {out, w}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
  graph.outputs.push_back({"loss", b.sumTo(y, {})});
  lowerPrecision(graph, DType::BF16);
  llvm::cantFail(differentiate(graph).takeError());
  lowerGradients(graph, DType::BF16);
  expectSound(graph);
  EXPECT_EQ(dtypeOf(graph, "attention"), "bf16");
  EXPECT_EQ(dtypeOf(graph, "attention_grad"), "bf16");
}

TEST(LowerPrecision, F32ChangesNothing) {
  Graph graph = parsed(kModel);
  const std::string before = printed(graph);
  lowerPrecision(graph, DType::F32);
  lowerGradients(graph, DType::F32);
  EXPECT_EQ(printed(graph), before);
  EXPECT_EQ(raisePrecision(graph).own, DType::F32);
  EXPECT_EQ(printed(graph), before);
}

/// A mask of -FLT_MAX would be infinite in a small float, and a row of it NaN.
TEST(LowerPrecision, WhatIsFiniteStaysFinite) {
  for (auto [low, least] : {std::pair(DType::BF16, -0x1.fep127), {DType::F16, -65504.0}}) {
    Graph graph;
    ValueId w = graph.addParameter("w", Type{DType::F32, {4, 4}});
    ValueId mask = graph.addConstant("mask", filledTensor(Type{DType::F32, {4, 4}}, -3.4028234663852886e38));
    graph.parameters.push_back({w, {}});
    Builder b(graph);
    ValueId masked = b.make("add", {w, mask});
    graph.outputs.push_back(
        {"loss", b.make("matmul", {masked, masked}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}})});
    lowerPrecision(graph, low);
    expectSound(graph);
    EXPECT_EQ(graph.type(graph.output("loss")).dtype, DType::F32);
    const Node &add = *graph.producer(graph.producer(graph.producer(graph.output("loss"))->operands[0])->operands[0]);
    EXPECT_EQ(toArray(*graph.value(add.operands[1]).contents).data[0], least);
  }
}

TEST(RaisePrecision, AModelInBf16IsOneInF32) {
  Graph graph;
  Array values(Type{DType::BF16, {2, 2}});
  values.data = {1, 2, 3, -0.5};
  ValueId w = graph.addParameter("w", values.type, toTensor(values)),
          x = graph.addInput("x", Type{DType::BF16, {2, 2}});
  graph.parameters.push_back({w, {}});
  Builder b(graph);
  ValueId wide = b.makeTyped("cast", {b.make("add", {w, x})}, Type{DType::F32, {2, 2}});
  graph.outputs.push_back({"loss", b.make("neg", {wide})});
  EXPECT_EQ(raisePrecision(graph).own, DType::BF16);
  llvm::cantFail(canonicalise(graph));
  expectSound(graph);
  EXPECT_EQ(dtypeOf(graph, "cast"), "");
  EXPECT_EQ(dtypeOf(graph, "add"), "f32");
  EXPECT_EQ(toArray(*graph.value(w).contents).data, values.data);
  EXPECT_EQ(graph.value(w).contents->type.dtype, DType::F32);
}

/// Parameters or inputs in f64 make all of it f32; where neither is, what is computed in f64 between casts stays so.
TEST(RaisePrecision, AModelInF64IsOneInF32) {
  for (DType dtype : {DType::F64, DType::F32}) {
    Graph graph;
    Array values(Type{dtype, {2, 2}});
    values.data = {1, 2, 3, -0.5};
    ValueId w = graph.addParameter("w", values.type, toTensor(values)), x = graph.addInput("x", Type{dtype, {2, 2}}),
            mask = graph.addConstant("mask", filledTensor(Type{DType::F64, {2, 2}}, -1.7976931348623157e308));
    graph.parameters.push_back({w, {}});
    Builder b(graph);
    ValueId wide = b.makeTyped("cast", {b.make("add", {w, x})}, Type{DType::F64, {2, 2}});
    ValueId masked = b.make("add", {wide, mask});
    graph.outputs.push_back({"loss", b.makeTyped("cast", {masked}, Type{DType::F32, {2, 2}})});
    const RaisedPrecision raised = raisePrecision(graph);
    llvm::cantFail(canonicalise(graph));
    expectSound(graph);
    const bool isRaised = dtype == DType::F64;
    EXPECT_EQ(raised.hadDoubles, isRaised);
    EXPECT_EQ(raised.own, DType::F32);
    EXPECT_EQ(dtypeOf(graph, "add"), isRaised ? "f32 f32" : "f32 f64");
    EXPECT_EQ(dtypeOf(graph, "cast"), isRaised ? "" : "f64 f32");
    EXPECT_EQ(graph.type(x).dtype, DType::F32);
    EXPECT_EQ(toArray(*graph.value(w).contents).data, values.data);
    if (isRaised) {
      EXPECT_EQ(toArray(*graph.value(mask).contents).data[0], -0x1.fffffep127);
    }
  }
}

} // namespace
} // namespace autotp

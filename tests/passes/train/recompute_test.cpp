/// \file Which values of the forward are computed again, and where.
#include "passes/train/recompute.h"

#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "passes/train/differentiate.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// Forward and backward of two layers: a wide tanh between two products, added to what went in.
Graph twoLayers() {
  Graph graph = parsed(R"(graph {
  input %x0 : f32[4,8]
  parameter %w : f32[8,8]
  parameter %up1 : f32[8,64]
  parameter %down1 : f32[64,8]
  parameter %up2 : f32[8,64]
  parameter %down2 : f32[64,8]
  %x = matmul(%x0, %w) {trans_a=0, trans_b=0} : f32[4,8]
  %h1 = matmul(%x, %up1) {trans_a=0, trans_b=0} : f32[4,64]
  %t1 = tanh(%h1) : f32[4,64]
  %d1 = matmul(%t1, %down1) {trans_a=0, trans_b=0} : f32[4,8]
  %y = add(%x, %d1) : f32[4,8]
  %h2 = matmul(%y, %up2) {trans_a=0, trans_b=0} : f32[4,64]
  %t2 = tanh(%h2) : f32[4,64]
  %d2 = matmul(%t2, %down2) {trans_a=0, trans_b=0} : f32[4,8]
  %z = add(%y, %d2) : f32[4,8]
  %s = mul(%z, %z) : f32[4,8]
  %loss = reduce_sum(%s) {axes=[0,1], keepdims=0} : f32[]
  return loss=%loss
}
)");
  llvm::cantFail(differentiate(graph, false));
  return graph;
}

/// The operators of copies: nodes that the backward did not have before.
std::string added(const Graph &before, const Graph &after) {
  std::string all;
  for (NodeId id : after.order())
    if (id >= before.numNodes()) all += (all.empty() ? "" : " ") + after.node(id).op.str();
  return all;
}

TEST(Recompute, ALayersInsideIsComputedAgainBeforeItsBackward) {
  const Graph before = twoLayers();
  Graph graph = before;
  EXPECT_EQ(recompute(graph, Recompute::Layer), 3u);
  llvm::Error error = verify(graph);
  ASSERT_FALSE(bool(error)) << describe(std::move(error)) << printed(graph);
  // Of the first layer alone: where the second ends the loss begins, and its backward comes at once.
  EXPECT_EQ(added(before, graph), "matmul matmul tanh") << printed(graph);
  ValueId kept = kNone;
  for (NodeId id : graph.order()) {
    const Node &node = graph.node(id);
    if (node.is("tanh") && !node.backward && kept == kNone) kept = node.results[0];
    if (id < before.numNodes()) continue;
    EXPECT_TRUE(node.backward);
    EXPECT_TRUE(graph.node(node.previous).backward) << "it stands in the backward";
  }
  for (const Use &use : graph.value(kept).uses)
    EXPECT_FALSE(graph.node(use.node).backward) << "the backward uses the copy";
}

TEST(Recompute, WithoutScoresAttentionKeepsAll) {
  const Graph before = twoLayers();
  Graph graph = before;
  EXPECT_EQ(recompute(graph, Recompute::Attention), 0u);
  EXPECT_EQ(recompute(graph, Recompute::None), 0u);
  EXPECT_EQ(printed(graph), printed(before));
}

} // namespace
} // namespace autotp

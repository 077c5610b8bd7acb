// What the summary says of a loss; tests/passes/text/global_loss.ir has the graphs that bind-batch leaves.
#include "passes/partition/bind_batch.h"

#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// With two micro-batches.
LossTerms termsOf(const std::string &lines) {
  Graph graph = parsed(R"(graph {
  input %x : f32[4,6]
  input %m : f32[4,6]
  parameter %w : f32[6]
  %q = mul(%x, %w) : f32[4,6]
  %l = mul(%q, %m) : f32[4,6]
  %t = reduce_sum(%l) {axes=[0, 1], keepdims=0} : f32[]
  %n = reduce_sum(%m) {axes=[0, 1], keepdims=0} : f32[]
)" + lines + "}\n");
  return llvm::cantFail(bindBatch(graph, 0, 2, {}));
}

TEST(GlobalLoss, IsDividedOrASum) {
  const LossTerms divided = termsOf("  %loss = div(%t, %n) : f32[]\n  return loss=%loss\n"),
                  sum = termsOf("  return loss=%t\n");
  EXPECT_EQ(divided.statistics, 1u);
  EXPECT_FALSE(divided.isSum);
  EXPECT_EQ(sum.statistics, 0u);
  EXPECT_TRUE(sum.isSum);
}

TEST(GlobalLoss, WhatStaysAMicroBatchsIsNamed) {
  const LossTerms terms = termsOf("  %d = div(%t, %n) : f32[]\n  %loss = sqrt(%d) : f32[]\n  return loss=%loss\n");
  EXPECT_EQ(terms.statistics, 0u);
  EXPECT_EQ(terms.ofMicroBatches.size(), 1u);
}

} // namespace
} // namespace autotp

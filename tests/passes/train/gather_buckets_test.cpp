// Where buckets of parameters are gathered, and how many of them are whole at a time.
#include "passes/train/gather_buckets.h"

#include "compiler/ops/op_def.h"
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// A chain of sums that reads parameters of one bucket each, in the order of `uses`: "0", or "012" for one node that
/// reads three.
struct Chain {
  explicit Chain(llvm::ArrayRef<const char *> uses) {
    const Type type{DType::F32, {8}};
    ValueId last = graph.addInput("x", type);
    for (unsigned bucket = 0; bucket < kBuckets; ++bucket) {
      ValueId parameter = graph.addParameter("w" + std::to_string(bucket), type);
      parameters.push_back({{parameter, parameter, kNone, {}, {}}, bucket, 0});
      slices.push_back(graph.addState("slice" + std::to_string(bucket), Type{DType::F32, {4}}));
    }
    Builder b(graph);
    for (llvm::StringRef use : uses) {
      llvm::SmallVector<ValueId, 4> operands = {last};
      for (char bucket : use)
        operands.push_back(parameters[size_t(bucket - '0')].local.local);
      last = b.slice(b.make("concat", operands, {{"axis", int64_t(0)}}), 0, 0, 8);
    }
    graph.outputs.push_back({"y", last});
    gatherBuckets(graph, parameters, slices, /*dp=*/2);
  }

  /// "+1" where bucket 1 is gathered, "1" where a node uses it.
  std::string order() const {
    std::string text;
    for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
      const Node &node = graph.node(id);
      if (node.is("all_gather")) text += "+" + graph.value(node.operands[0]).name.substr(5) + " ";
      if (!node.is("concat")) continue;
      for (ValueId operand : llvm::ArrayRef<ValueId>(node.operands).drop_front())
        text += bucketOf(operand);
      text += " ";
    }
    return text;
  }

  /// Which bucket a view is of.
  std::string bucketOf(ValueId view) const {
    const Node *node = graph.producer(view);
    while (node && !node->is("all_gather"))
      node = graph.producer(node->operands[0]);
    return node ? graph.value(node->operands[0]).name.substr(5) : "?";
  }

  static constexpr unsigned kBuckets = 4;
  Graph graph;
  std::vector<PlacedParameter> parameters;
  std::vector<ValueId> slices;
};

TEST(GatherBuckets, TheNextOneIsGatheredWhileOneIsUsed) {
  Chain chain({"0", "0", "1", "2", "2", "3"});
  EXPECT_EQ(chain.order(), "+0 +1 0 0 +2 1 +3 2 2 3 ");
  llvm::Error error = verify(chain.graph);
  EXPECT_FALSE(bool(error)) << describe(std::move(error));
}

TEST(GatherBuckets, BackwardBeginsWithWhatForwardEndedWith) {
  EXPECT_EQ(Chain({"0", "1", "2", "2", "1", "0"}).order(), "+0 +1 0 +2 1 2 2 +0 1 0 ");
}

TEST(GatherBuckets, ATiedWeightIsGatheredAgain) {
  EXPECT_EQ(Chain({"0", "1", "2", "3", "0"}).order(), "+0 +1 0 +2 1 +3 2 +0 3 0 ");
}

TEST(GatherBuckets, WhatIsUsedAgainAndAgainStays) {
  EXPECT_EQ(Chain({"0", "1", "0", "2", "0", "3", "0"}).order(), "+0 +1 0 1 +2 0 2 +3 0 3 0 ");
}

TEST(GatherBuckets, OneNodeMayReadMoreThanTwo) { EXPECT_EQ(Chain({"012", "3"}).order(), "+0 +1 +2 012 +3 3 "); }

} // namespace
} // namespace autotp

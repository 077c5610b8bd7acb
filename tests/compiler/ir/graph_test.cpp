#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

struct Chain { ///< y = exp(neg(x)), beside a sin that nothing needs
  Graph graph;
  ValueId x = graph.addInput("x", Type{DType::F32, {2}});
  Builder b{graph};
  ValueId n = b.make("neg", {x}), dead = b.make("sin", {x}), y = b.make("exp", {n});
  Chain() { graph.outputs.push_back({"y", y}); }
};

TEST(Graph, RemoveDeadKeepsWhatOutputsNeed) {
  Chain c;
  c.graph.removeDead();
  EXPECT_EQ(printed(c.graph), "graph {\n"
                              "  input %x : f32[2]\n"
                              "  %neg = neg(%x) : f32[2]\n"
                              "  %exp = exp(%neg) : f32[2]\n"
                              "  return y=%exp\n}\n");
  EXPECT_EQ(c.graph.value(c.x).uses.size(), 1u);
  EXPECT_FALSE(bool(verify(c.graph)));
}

TEST(Graph, ReplaceAllUsesReachesNodesAndOutputs) {
  Chain c;
  c.graph.replaceAllUses(c.n, c.dead);
  EXPECT_EQ(c.graph.producer(c.y)->operands[0], c.dead);
  EXPECT_TRUE(c.graph.value(c.n).uses.empty());
  c.graph.replaceAllUses(c.y, c.x);
  EXPECT_EQ(c.graph.output("y"), c.x);
  EXPECT_TRUE(c.graph.isOutput(c.x));
  EXPECT_EQ(c.graph.output("z"), kNone);
  c.graph.replaceAllUses(c.x, c.x);
  EXPECT_FALSE(bool(verify(c.graph)));
}

TEST(Graph, EraseUnlinksAtBothEndsAndInTheMiddle) {
  Chain c;
  c.graph.outputs.clear();
  c.graph.erase(c.graph.value(c.dead).producer);
  EXPECT_EQ(c.graph.order().size(), 2u);
  c.graph.erase(c.graph.last());
  c.graph.erase(c.graph.first());
  EXPECT_EQ(c.graph.first(), kNone);
  EXPECT_EQ(c.graph.last(), kNone);
  EXPECT_TRUE(c.graph.value(c.x).uses.empty());
  EXPECT_EQ(c.graph.numNodes(), 3u);
}

TEST(Graph, NodesGoBeforeAnother) {
  Chain c;
  Builder early(c.graph, c.graph.first());
  ValueId first = early.make("cos", {c.x});
  EXPECT_EQ(c.graph.first(), c.graph.value(first).producer);
  c.graph.setOperand(c.graph.value(c.n).producer, 0, first);
  EXPECT_EQ(c.graph.value(first).uses.size(), 1u);
  EXPECT_EQ(c.graph.value(c.x).uses.size(), 2u); // sin and cos
  EXPECT_FALSE(bool(verify(c.graph)));
}

TEST(Graph, NamesAreUniqueAndSourcesKeepTheirOrder) {
  Graph graph;
  ValueId a = graph.addParameter("w", Type{}), b = graph.addParameter("w", Type{}),
          c = graph.addConstant("w", scalarTensor(DType::F32, 2));
  EXPECT_EQ(graph.value(b).name, "w_1");
  EXPECT_EQ(graph.value(c).name, "w_2");
  graph.setKind(c, ValueKind::Parameter);
  EXPECT_EQ(graph.sources(ValueKind::Parameter), (std::vector<ValueId>{a, b, c}));
  graph.rename(a, "v");
  EXPECT_EQ(graph.value(a).name, "v");
}

TEST(Attributes, SortedByNameAndReplaced) {
  Attributes a = {{"z", int64_t(1)}, {"a", 2.5}};
  a.set("z", std::string("text"));
  EXPECT_EQ(a.all().size(), 2u);
  EXPECT_EQ(a.all()[0].first, "a");
  EXPECT_EQ(a.text("z"), "text");
  EXPECT_EQ(a.real("a"), 2.5);
  EXPECT_EQ(a.integer("missing", 7), 7);
  EXPECT_TRUE(a.integers("missing").empty());
  EXPECT_TRUE(a == (Attributes{{"a", 2.5}, {"z", std::string("text")}}));
}

} // namespace
} // namespace autotp

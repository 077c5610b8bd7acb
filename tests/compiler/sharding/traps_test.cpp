// Graphs on which an easier rule than ours goes wrong: each trains under every legal leaf, every value compared.
#include "compiler/ops/verify.h"
#include "passes/shard/choose_axes.h"
#include "passes/shard/place_reductions.h"
#include "passes/train/differentiate.h"
#include "tests/compiler/ir/parsed_graph.h"
#include "tests/compiler/sharding/sharded_run.h"

#include <cmath>
#include <gtest/gtest.h>

namespace autotp::test {
namespace {

struct Trap {
  Graph graph;
  Sources sources;
  GraphAxes axes;
  std::vector<Array> whole;

  /// `lines`: sources and nodes of a graph whose value %loss is a scalar; its gradients are added.
  explicit Trap(const std::string &lines) {
    auto parsed = parse("graph {\n" + lines + "  return loss=%loss\n}\n", intern);
    if (!parsed) {
      ADD_FAILURE() << describe(parsed.takeError());
      return;
    }
    graph = std::move(*parsed);
    for (ValueId id : graph.sources(ValueKind::Parameter))
      graph.parameters.push_back({id, {}});
    if (auto kind = differentiate(graph); !kind) ADD_FAILURE() << describe(kind.takeError());
    if (llvm::Error error = verify(graph)) ADD_FAILURE() << describe(std::move(error));
    widen(graph);
    sources = randomSources(graph, 9);
    axes = findAxes(graph);
    whole = llvm::cantFail(evaluateGraph(graph, sources));
  }

  ValueId value(llvm::StringRef name) const {
    for (ValueId id = 0; id < graph.numValues(); ++id)
      if (graph.value(id).name == name) return id;
    ADD_FAILURE() << "no value " << name.str();
    return 0;
  }
  AxisId leafOf(llvm::StringRef name, size_t dim, size_t which = 0) const {
    return axes.arena.find(axes.arena.leaves(axes.values[value(name)][dim])[which]);
  }
  Sharding sharded(AxisId leaf, int tp) const {
    Assignment assignment;
    assignment.assign(leaf, evenIntervals(axes.arena.size(leaf), tp));
    return {graph, axes, assignment, tp};
  }
  std::string difference(const Sharding &sharding) const { return firstDifference(sharding, sources, whole); }

  /// Under each legal leaf alone, at tp 2, 3 and 5, in even and in random tilings.
  void expectRight() const {
    AxisFacts facts(graph, axes);
    std::mt19937 random(3);
    for (AxisId leaf : legalLeaves(graph, axes, facts))
      for (int tp : {2, 3, 5})
        for (bool isEven : {true, false}) {
          int64_t size = axes.arena.size(leaf);
          Assignment assignment;
          assignment.assign(leaf, isEven ? evenIntervals(size, tp) : randomTiling(size, tp, random));
          EXPECT_EQ(difference({graph, axes, assignment, tp}), "") << "a leaf of size " << size << " at tp " << tp;
        }
  }
};

const char *const kSum = "  %loss = reduce_sum(%y) {axes=[0, 1], keepdims=0} : f32[]\n";

TEST(Traps, ConstantsHaveTermsAtEachUse) {
  // One table scales the hidden units of two layers that have nothing else in common.
  std::string layers = "  %a = matmul(%x, %w1) {trans_a=0, trans_b=0} : f32[4,6]\n"
                       "  %b = mul(%a, %table) : f32[4,6]\n"
                       "  %c = matmul(%b, %w2) {trans_a=0, trans_b=0} : f32[4,5]\n"
                       "  %d = matmul(%c, %w3) {trans_a=0, trans_b=0} : f32[4,6]\n"
                       "  %e = mul(%d, %table) : f32[4,6]\n"
                       "  %y = matmul(%e, %w4) {trans_a=0, trans_b=0} : f32[4,3]\n";
  std::string sources = "  input %x : f32[4,3]\n  parameter %w1 : f32[3,6]\n  parameter %w2 : f32[6,5]\n"
                        "  parameter %w3 : f32[5,6]\n  parameter %w4 : f32[6,3]\n";
  Trap apart(sources + "  constant %table : f32[6] = {1, 2, 3, 4, 5, 6}\n" + layers + kSum);
  EXPECT_NE(apart.leafOf("w1", 1), apart.leafOf("w3", 1));
  apart.expectRight();
  Trap joined(sources + "  input %table : f32[6]\n" + layers + kSum); // the same numbers, with one set of terms
  EXPECT_EQ(joined.leafOf("w1", 1), joined.leafOf("w3", 1));
}

TEST(Traps, ASequenceShiftedAgainstItselfKeepsFewSegments) {
  Trap trap("  input %x : f32[2,300]\n  parameter %w : f32[2,300]\n"
            "  %a = mul(%x, %w) : f32[2,300]\n"
            "  %b = slice(%a) {axis=1, length=299, start=0, step=1} : f32[2,299]\n"
            "  %c = slice(%a) {axis=1, length=299, start=1, step=1} : f32[2,299]\n"
            "  %y = mul(%b, %c) : f32[2,299]\n" +
            std::string(kSum));
  EXPECT_LE(trap.axes.arena.segments(trap.axes.values[trap.value("a")][1]).size(), 64u);
  trap.expectRight();
}

const char *const kConcat = "  input %x : f32[4,3]\n  parameter %w1 : f32[3,6]\n  parameter %w2 : f32[6,2]\n"
                            "  parameter %v : f32[4,3]\n  parameter %w3 : f32[11,5]\n"
                            "  %a = matmul(%x, %w1) {trans_a=0, trans_b=0} : f32[4,6]\n"
                            "  %p = matmul(%a, %w2) {trans_a=0, trans_b=0} : f32[4,2]\n"
                            "  %s = concat(%a, %p, %v) {axis=1} : f32[4,11]\n"
                            "  %y = matmul(%s, %w3) {trans_a=0, trans_b=0} : f32[4,5]\n";

TEST(Traps, AConcatOfAShardedAPendingAndAWholePartIsSummedOnce) { Trap(std::string(kConcat) + kSum).expectRight(); }

TEST(Traps, AMaskOfInfinitiesJoinsPendingScores) {
  Trap trap("  parameter %q : f32[4,6]\n  parameter %k : f32[3,6]\n  parameter %v : f32[3,2]\n"
            "  constant %mask : f32[4,3] = {0, -inf, -inf, 0, 0, -inf, 0, 0, 0, 0, 0, 0}\n"
            "  %s = matmul(%q, %k) {trans_a=0, trans_b=1} : f32[4,3]\n"
            "  %m = add(%s, %mask) : f32[4,3]\n"
            "  %p = softmax(%m) : f32[4,3]\n"
            "  %y = matmul(%p, %v) {trans_a=0, trans_b=0} : f32[4,2]\n" +
            std::string(kSum));
  trap.expectRight();
  EXPECT_EQ(trap.difference(trap.sharded(trap.leafOf("q", 1), 2)), ""); // the scores are pending before the mask
}

TEST(Traps, AProductOfAPartialSumWithItself) {
  Trap("  input %x : f32[4,6]\n  parameter %w : f32[6,3]\n"
       "  %p = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[4,3]\n"
       "  %q = mul(%p, %p) : f32[4,3]\n"
       "  %g = sigmoid(%p) : f32[4,3]\n"
       "  %h = mul(%p, %g) : f32[4,3]\n"
       "  %y = add(%q, %h) : f32[4,3]\n" +
       std::string(kSum))
      .expectRight();
}

TEST(Traps, ASumIsReducedOnceForAllItsReaders) {
  Trap("  input %x : f32[4,6]\n  parameter %w : f32[6,3]\n  parameter %b : f32[3]\n"
       "  %p = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[4,3]\n"
       "  %q = add(%p, %b) : f32[4,3]\n"
       "  %e = exp(%q) : f32[4,3]\n"
       "  %n = neg(%q) : f32[4,3]\n"
       "  %t = tanh(%n) : f32[4,3]\n"
       "  %y = add(%e, %t) : f32[4,3]\n" +
       std::string(kSum))
      .expectRight();
}

TEST(Traps, ABiasBesideAPendingProductIsAddedOnce) {
  Trap trap("  input %x : f32[4,6]\n  parameter %w : f32[6,3]\n  parameter %b : f32[3]\n"
            "  %p = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[4,3]\n"
            "  %y = add(%b, %p) : f32[4,3]\n" +
            std::string(kSum));
  trap.expectRight();
}

/// Falcon: eight query heads beside one key and one value head in one weight.
const char *const kFusedHeads = "  input %x : f32[4,5]\n  parameter %w : f32[5,20]\n  parameter %o : f32[16,5]\n"
                                "  %f = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[4,20]\n"
                                "  %r = reshape(%f) : f32[4,10,2]\n"
                                "  %q = slice(%r) {axis=1, length=8, start=0, step=1} : f32[4,8,2]\n"
                                "  %k = slice(%r) {axis=1, length=1, start=8, step=1} : f32[4,1,2]\n"
                                "  %v = slice(%r) {axis=1, length=1, start=9, step=1} : f32[4,1,2]\n"
                                "  %s = mul(%q, %k) : f32[4,8,2]\n"
                                "  %t = softmax(%s) : f32[4,8,2]\n"
                                "  %u = mul(%t, %v) : f32[4,8,2]\n"
                                "  %z = reshape(%u) : f32[4,16]\n"
                                "  %y = matmul(%z, %o) {trans_a=0, trans_b=0} : f32[4,5]\n";

TEST(Traps, SegmentsThatAreTakenFromTheEndOfAShardedDimension) {
  Trap trap(std::string(kFusedHeads) + kSum);
  trap.expectRight();
  for (int tp : {2, 4, 8, 11})
    EXPECT_EQ(trap.difference(trap.sharded(trap.leafOf("o", 0), tp)), "") << tp;
}

TEST(Traps, MoreRanksThanHeads) {
  Trap trap("  input %x : f32[1,3,5]\n  parameter %wq : f32[5,8]\n  parameter %wk : f32[5,4]\n"
            "  parameter %wv : f32[5,4]\n  parameter %wo : f32[8,5]\n"
            "  %q = matmul(%x, %wq) {trans_a=0, trans_b=0} : f32[1,3,8]\n"
            "  %k = matmul(%x, %wk) {trans_a=0, trans_b=0} : f32[1,3,4]\n"
            "  %v = matmul(%x, %wv) {trans_a=0, trans_b=0} : f32[1,3,4]\n"
            "  %q4 = reshape(%q) : f32[1,3,4,2]\n"
            "  %k4 = reshape(%k) : f32[1,3,2,2]\n"
            "  %v4 = reshape(%v) : f32[1,3,2,2]\n"
            "  %a, %lse = attention(%q4, %k4, %v4) {causal=1, scale=0.5} : f32[1,3,4,2], f32[1,4,3,2]\n"
            "  %m = reshape(%a) : f32[3,8]\n"
            "  %y = matmul(%m, %wo) {trans_a=0, trans_b=0} : f32[3,5]\n" +
            std::string(kSum));
  trap.expectRight();
  for (int tp : {2, 3, 4, 5, 8}) { // kv 2, group 2: shared heads at 3 and 4, ranks without a head above
    ChosenAxes chosen = llvm::cantFail(chooseAxes(trap.graph, trap.axes, tp, ShardMode::All));
    EXPECT_TRUE(chosen.assignment.has(trap.leafOf("wk", 1))) << tp;
    EXPECT_EQ(trap.difference({trap.graph, trap.axes, chosen.assignment, tp}), "") << tp;
  }
}

TEST(Traps, OneKeyHeadIsSharedByAll) {
  Trap trap(
      "  input %x : f32[1,3,5]\n  parameter %wq : f32[5,8]\n  parameter %wk : f32[5,2]\n  parameter %wo : f32[8,5]\n"
      "  %q = matmul(%x, %wq) {trans_a=0, trans_b=0} : f32[1,3,8]\n"
      "  %k = matmul(%x, %wk) {trans_a=0, trans_b=0} : f32[1,3,2]\n"
      "  %q4 = reshape(%q) : f32[1,3,4,2]\n"
      "  %k4 = reshape(%k) : f32[1,3,1,2]\n"
      "  %a, %lse = attention(%q4, %k4, %k4) {causal=0, scale=0.5} : f32[1,3,4,2], f32[1,4,3,2]\n"
      "  %m = reshape(%a) : f32[3,8]\n"
      "  %y = matmul(%m, %wo) {trans_a=0, trans_b=0} : f32[3,5]\n" +
      std::string(kSum));
  trap.expectRight();
  ChosenAxes chosen = llvm::cantFail(chooseAxes(trap.graph, trap.axes, 4, ShardMode::All));
  EXPECT_TRUE(chosen.assignment.has(trap.leafOf("wq", 1))) << "the group alone";
  EXPECT_EQ(trap.difference({trap.graph, trap.axes, chosen.assignment, 4}), "");
}

TEST(Traps, ASizeOfOneUnifiesNothing) {
  Trap trap("  input %x : f32[1,4]\n  parameter %a : f32[6,4]\n  parameter %b : f32[1,4]\n"
            "  %p = mul(%x, %a) : f32[6,4]\n"
            "  %y = add(%p, %b) : f32[6,4]\n" +
            std::string(kSum));
  EXPECT_EQ(trap.axes.values[trap.value("x")][0], kNoAxis);
  EXPECT_EQ(trap.axes.values[trap.value("b")][0], kNoAxis);
  trap.expectRight();
}

TEST(Traps, APositionTableHasTheSequenceAxisAndASquareWeightMeetsItself) {
  Trap trap("  input %x : f32[2,4,6]\n  parameter %table : f32[1,4,6]\n  parameter %w : f32[6,6]\n"
            "  %h = add(%x, %table) : f32[2,4,6]\n"
            "  %s = matmul(%h, %h) {trans_a=0, trans_b=1} : f32[2,4,4]\n"
            "  %p = softmax(%s) : f32[2,4,4]\n"
            "  %c = matmul(%p, %h) {trans_a=0, trans_b=0} : f32[2,4,6]\n"
            "  %m = matmul(%c, %w) {trans_a=0, trans_b=0} : f32[2,4,6]\n"
            "  %r = add(%m, %h) : f32[2,4,6]\n"
            "  %y = reshape(%r) : f32[8,6]\n" +
            std::string(kSum));
  ChosenAxes chosen = llvm::cantFail(chooseAxes(trap.graph, trap.axes, 2, ShardMode::All));
  for (const AxisDecision &decision : chosen.decisions)
    EXPECT_FALSE(decision.isChosen) << decision.name;
  EXPECT_EQ(chosen.decisions.size(), 2u); // sequence and hidden, with a reason each
  trap.expectRight();
}

TEST(Traps, AProductAgainstAConcatThatDoNotNestIsCut) {
  // 24 seen as 4 x 6 and as thirds of 8: nothing relates them, and what lies between is resharded.
  Trap trap("  input %x : f32[5,3]\n  parameter %w : f32[3,24]\n  parameter %g : f32[5,4,6]\n"
            "  %a = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[5,24]\n"
            "  %r = reshape(%a) : f32[5,4,6]\n"
            "  %b = mul(%r, %g) : f32[5,4,6]\n"
            "  %f = reshape(%b) : f32[5,24]\n"
            "  %p = slice(%f) {axis=1, length=8, start=0, step=1} : f32[5,8]\n"
            "  %q = slice(%f) {axis=1, length=8, start=8, step=1} : f32[5,8]\n"
            "  %s = slice(%f) {axis=1, length=8, start=16, step=1} : f32[5,8]\n"
            "  %t = mul(%p, %q) : f32[5,8]\n"
            "  %y = add(%t, %s) : f32[5,8]\n" +
            std::string(kSum));
  bool isCut = false;
  for (const NodeAxes &node : trap.axes.nodes)
    isCut |= llvm::is_contained(node.isCut, true);
  EXPECT_TRUE(isCut);
  trap.expectRight();
}

// Mutants: what a mistake in partition would look like. Each must be seen by the comparison that the tests above rest
// on.

TEST(Mutants, WithoutTheMaskOfTheFirstHolder) {
  Trap trap("  input %x : f32[4,3]\n  parameter %w1 : f32[3,6]\n  parameter %v : f32[4,2]\n  parameter %w2 : f32[8,5]\n"
            "  %a = matmul(%x, %w1) {trans_a=0, trans_b=0} : f32[4,6]\n"
            "  %s = concat(%a, %v) {axis=1} : f32[4,8]\n"
            "  %y = matmul(%s, %w2) {trans_a=0, trans_b=0} : f32[4,5]\n" +
            std::string(kSum));
  Sharding sharding = trap.sharded(trap.leafOf("w1", 1), 2);
  ASSERT_EQ(trap.difference(sharding), "");
  int removed = 0;
  sharding.change = [&](Graph &local, int) {
    for (NodeId id : local.order()) {
      const Node node = local.node(id);
      if (!node.is("where") || !llvm::StringRef(local.value(node.operands[0]).name).startswith("first_holder"))
        continue;
      local.replaceAllUses(node.results[0], node.operands[1]);
      ++removed;
    }
  };
  EXPECT_NE(trap.difference(sharding), "");
  EXPECT_GT(removed, 0);
}

TEST(Mutants, AnUnmaskedLookup) {
  Trap trap("  input %ids : i64[5]\n  parameter %table : f32[4,3]\n  parameter %w : f32[3,2]\n"
            "  %e = gather(%table, %ids) : f32[5,3]\n"
            "  %y = matmul(%e, %w) {trans_a=0, trans_b=0} : f32[5,2]\n" +
            std::string(kSum));
  Sharding sharding = trap.sharded(trap.leafOf("table", 0), 2);
  ASSERT_EQ(trap.difference(sharding), "");
  sharding.change = [](Graph &local, int) {
    for (NodeId id : local.order())
      if (local.node(id).is("gather")) local.node(id).attributes.set("offset", int64_t(0));
  };
  EXPECT_NE(trap.difference(sharding), "");
}

TEST(Mutants, AMeanOverTheLocalCount) {
  Trap trap("  parameter %x : f32[4,6]\n  constant %share : f32[] = {0.25}\n"
            "  %s = reduce_sum(%x) {axes=[0], keepdims=1} : f32[1,6]\n"
            "  %m = mul(%s, %share) : f32[1,6]\n"
            "  %y = exp(%m) : f32[1,6]\n" +
            std::string(kSum));
  Sharding sharding = trap.sharded(trap.leafOf("x", 0), 2);
  ASSERT_EQ(trap.difference(sharding), "");
  sharding.change = [](Graph &local, int) {
    for (ValueId id : local.sources(ValueKind::Constant))
      if (local.value(id).name == "share") local.value(id).contents = scalarTensor(DType::F64, 0.5);
  };
  EXPECT_NE(trap.difference(sharding), "");
}

/// Reductions moved by hand: through an operator that is not linear, left out, and done twice.
TEST(Mutants, ReductionsInTheWrongPlace) {
  Trap trap("  input %x : f32[4,6]\n  parameter %w : f32[6,3]\n  constant %two : f32[] = {2}\n"
            "  %p = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[4,3]\n"
            "  %q = pow(%p, %two) : f32[4,3]\n"
            "  %y = neg(%q) : f32[4,3]\n" +
            std::string(kSum));
  Sharding sharding = trap.sharded(trap.leafOf("w", 0), 2);
  const Reductions right = placeReductions(trap.graph, trap.axes, sharding.assignment);
  ValueId p = trap.value("p"), q = trap.value("q");
  ASSERT_TRUE(right.isReduced[p]);
  sharding.reductions = right;
  ASSERT_EQ(trap.difference(sharding), "");
  sharding.reductions->isReduced[p] = false; // through pow
  sharding.reductions->isPartial[q] = sharding.reductions->isReduced[q] = true;
  EXPECT_NE(trap.difference(sharding), "");
  sharding.reductions = right; // left out
  sharding.reductions->isReduced[p] = false;
  EXPECT_NE(trap.difference(sharding), "");
  sharding.reductions = right; // twice
  sharding.reductions->isReduced[q] = true;
  EXPECT_NE(trap.difference(sharding), "");
}

} // namespace
} // namespace autotp::test

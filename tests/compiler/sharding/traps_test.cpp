// Graphs on which an easier rule than ours goes wrong, from traps.ir: each trains under every legal leaf, every value
// compared.
#include "compiler/ops/verify.h"
#include "passes/shard/choose_axes.h"
#include "passes/shard/place_reductions.h"
#include "passes/train/differentiate.h"
#include "tests/compiler/ir/case_file.h"
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

  /// A graph whose value %loss is a scalar; its gradients are added.
  explicit Trap(const TextCase &given) {
    auto parsed = parse(given.graph, intern);
    if (!parsed) {
      ADD_FAILURE() << given.title << ": " << describe(parsed.takeError());
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

std::vector<TextCase> traps() { return readCases(AUTOTP_SOURCE_DIR "/tests/compiler/sharding/traps.ir").cases; }

Trap trap(llvm::StringRef title) {
  for (const TextCase &given : traps())
    if (given.title == title) return Trap(given);
  ADD_FAILURE() << "no trap " << title.str();
  return Trap({});
}

TEST(Traps, AreRightUnderEveryLegalLeaf) {
  for (const TextCase &given : traps()) {
    SCOPED_TRACE(given.title);
    Trap(given).expectRight();
  }
}

TEST(Traps, ConstantsHaveTermsAtEachUse) {
  // One table scales the hidden units of two layers that have nothing else in common.
  const Trap apart = trap("a constant has terms at each use"), joined = trap("an input has one set of terms");
  EXPECT_NE(apart.leafOf("w1", 1), apart.leafOf("w3", 1));
  EXPECT_EQ(joined.leafOf("w1", 1), joined.leafOf("w3", 1));
}

TEST(Traps, ASequenceShiftedAgainstItselfKeepsFewSegments) {
  const Trap t = trap("a sequence shifted against itself keeps few segments");
  EXPECT_LE(t.axes.arena.segments(t.axes.values[t.value("a")][1]).size(), 64u);
}

TEST(Traps, ScoresArePendingBeforeAMask) {
  const Trap t = trap("a mask of infinities joins pending scores");
  EXPECT_EQ(t.difference(t.sharded(t.leafOf("q", 1), 2)), "");
}

TEST(Traps, SegmentsOnMoreRanks) {
  const Trap t = trap("segments that are taken from the end of a sharded dimension");
  for (int tp : {2, 4, 8, 11})
    EXPECT_EQ(t.difference(t.sharded(t.leafOf("o", 0), tp)), "") << tp;
}

TEST(Traps, AxesOfHeadsAreChosen) {
  for (auto [title, weight, ranks] : {std::tuple("more ranks than heads", "wk", std::vector{2, 3, 4, 5, 8}),
                                      {"one key head is shared by all", "wq", std::vector{4}}}) {
    const Trap t = trap(title);
    for (int tp : ranks) {
      ChosenAxes chosen = llvm::cantFail(chooseAxes(t.graph, t.axes, tp, ShardMode::All));
      EXPECT_TRUE(chosen.assignment.has(t.leafOf(weight, 1))) << title << tp;
      EXPECT_EQ(t.difference({t.graph, t.axes, chosen.assignment, tp}), "") << title << tp;
    }
  }
}

TEST(Traps, ASizeOfOneUnifiesNothing) {
  const Trap t = trap("a size of one unifies nothing");
  EXPECT_EQ(t.axes.values[t.value("x")][0], kNoAxis);
  EXPECT_EQ(t.axes.values[t.value("b")][0], kNoAxis);
}

TEST(Traps, WhatMeetsItselfIsNotChosen) {
  const Trap t = trap("a position table has the sequence axis, and a square weight meets itself");
  ChosenAxes chosen = llvm::cantFail(chooseAxes(t.graph, t.axes, 2, ShardMode::All));
  for (const AxisDecision &decision : chosen.decisions)
    EXPECT_FALSE(decision.isChosen) << decision.name;
  EXPECT_EQ(chosen.decisions.size(), 2u); // sequence and hidden, with a reason each
}

TEST(Traps, AProductAgainstAConcatThatDoNotNestIsCut) {
  const Trap t = trap("a product against a concat that do not nest is cut");
  EXPECT_TRUE(llvm::any_of(t.axes.nodes, [](const NodeAxes &node) { return llvm::is_contained(node.isCut, true); }));
}

// Mutants: what a mistake in partition would look like. Each must be seen by the comparison that the tests above rest
// on.

/// `change` is seen where the leaf of dimension `dim` of `value` is sharded.
void expectSeen(llvm::StringRef title, llvm::StringRef value, size_t dim, void (*change)(Graph &local, int tpRank)) {
  const Trap t = trap(title);
  Sharding sharding = t.sharded(t.leafOf(value, dim), 2);
  ASSERT_EQ(t.difference(sharding), "");
  sharding.change = change;
  EXPECT_NE(t.difference(sharding), "");
}

TEST(Mutants, WithoutTheMaskOfTheFirstHolder) {
  expectSeen("a part that all ranks hold whole", "w1", 1, [](Graph &local, int) {
    for (NodeId id : local.order()) {
      const Node node = local.node(id);
      if (node.is("where") && llvm::StringRef(local.value(node.operands[0]).name).startswith("first_holder"))
        local.replaceAllUses(node.results[0], node.operands[1]);
    }
  });
}

TEST(Mutants, AnUnmaskedLookup) {
  expectSeen("a lookup in a table of rows", "table", 0, [](Graph &local, int) {
    for (NodeId id : local.order())
      if (local.node(id).is("gather")) local.node(id).attributes.set("offset", int64_t(0));
  });
}

TEST(Mutants, AMeanOverTheLocalCount) {
  expectSeen("a mean over a sharded dimension", "x", 0, [](Graph &local, int) {
    for (ValueId id : local.sources(ValueKind::Constant))
      if (local.value(id).name == "share") local.value(id).contents = scalarTensor(DType::F64, 0.5);
  });
}

/// Reductions moved by hand: through an operator that is not linear, left out, and done twice.
TEST(Mutants, ReductionsInTheWrongPlace) {
  const Trap t = trap("a power of a Partial sum");
  Sharding sharding = t.sharded(t.leafOf("w", 0), 2);
  const Reductions right = placeReductions(t.graph, t.axes, sharding.assignment);
  ValueId p = t.value("p"), q = t.value("q");
  ASSERT_TRUE(right.isReduced[p]);
  sharding.reductions = right;
  ASSERT_EQ(t.difference(sharding), "");
  sharding.reductions->isReduced[p] = false; // through pow
  sharding.reductions->isPartial[q] = sharding.reductions->isReduced[q] = true;
  EXPECT_NE(t.difference(sharding), "");
  sharding.reductions = right; // left out
  sharding.reductions->isReduced[p] = false;
  EXPECT_NE(t.difference(sharding), "");
  sharding.reductions = right; // twice
  sharding.reductions->isReduced[q] = true;
  EXPECT_NE(t.difference(sharding), "");
}

} // namespace
} // namespace autotp::test

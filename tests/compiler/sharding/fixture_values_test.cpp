// All intermediate values of whole training graphs, forward and backward, sharded in lock-step against the whole graph,
// in f64: with the chosen axes, and with random legal axes in random tilings.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/shard/choose_axes.h"
#include "tests/compiler/sharding/sharded_run.h"
#include "tests/fixtures/run_fixture.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

/// A fixture's graph with gradients, widened, and one run of it on one rank.
struct Whole {
  Graph graph;
  Sources sources;
  std::vector<Array> values;

  Whole(const std::string &fixture, bool recognise) {
    CompileOptions options = fixtureOptions(fixture);
    options.look.stopAfter = "canonicalise-gradients";
    options.recognise = recognise;
    CompiledModel compiled = llvm::cantFail(compile(options));
    graph = std::move(compiled.graph);
    widen(graph);
    sources = randomSources(graph, 3);
    std::mt19937 random(4);
    for (const InputRole &role : compiled.training.inputs)
      for (ValueId input : graph.sources(ValueKind::Input)) {
        if (graph.value(input).name != role.name || role.limit == 0) continue;
        for (double &x : sources[input].data)
          x = role.role != "tokens" && random() % 5 == 0 ? -100 : double(random() % uint64_t(role.limit));
      }
    values = llvm::cantFail(evaluateGraph(graph, sources));
  }
};

class FixtureValues : public testing::TestWithParam<std::tuple<const char *, bool>> {
protected:
  Whole whole_{std::get<0>(GetParam()), std::get<1>(GetParam())};
  GraphAxes axes_ = findAxes(whole_.graph);

  void expectSame(Assignment assignment, int tp, const std::string &what) {
    Sharding sharding{whole_.graph, axes_, std::move(assignment), tp};
    EXPECT_EQ(firstDifference(sharding, whole_.sources, whole_.values), "") << what << " at tp " << tp;
  }
};

TEST_P(FixtureValues, ChosenAxes) {
  for (int tp : {1, 2, 3, 4, 8})
    expectSame(llvm::cantFail(chooseAxes(whole_.graph, axes_, tp, ShardMode::All)).assignment, tp, "chosen axes");
}

TEST_P(FixtureValues, RandomLegalAxesInRandomTilings) {
  AxisFacts facts(whole_.graph, axes_);
  std::vector<AxisId> leaves = legalLeaves(whole_.graph, axes_, facts);
  ASSERT_GT(leaves.size(), 2u);
  std::mt19937 random(17);
  for (int run = 0; run < 12; ++run) {
    int tp = 2 + int(random() % 4);
    std::shuffle(leaves.begin(), leaves.end(), random);
    Assignment assignment;
    std::vector<AxisId> taken;
    std::string names;
    for (AxisId leaf : leaves) {
      if (llvm::any_of(taken, [&](AxisId other) { return facts.multiply(leaf, other); })) continue;
      taken.push_back(leaf);
      assignment.assign(leaf, randomTiling(axes_.arena.size(leaf), tp, random));
      names += std::to_string(leaf) + ":" + std::to_string(axes_.arena.size(leaf)) + " ";
    }
    expectSame(assignment, tp, "run " + std::to_string(run) + ", leaves " + names);
  }
}

/// Two leaves that multiply, in a grid of ranks: a sum over one is reduced among those that share the other.
TEST_P(FixtureValues, TwoLeavesInAGrid) {
  AxisFacts facts(whole_.graph, axes_);
  std::vector<AxisId> leaves = legalLeaves(whole_.graph, axes_, facts);
  std::mt19937 random(23);
  int runs = 0;
  for (int attempt = 0; attempt < 100 && runs < 6; ++attempt) {
    AxisId a = leaves[random() % leaves.size()], b = leaves[random() % leaves.size()];
    if (a == b || !facts.multiply(a, b)) continue;
    ++runs;
    auto rows = randomTiling(axes_.arena.size(a), 2, random), columns = randomTiling(axes_.arena.size(b), 2, random);
    Assignment grid;
    grid.assign(a, {rows[0], rows[0], rows[1], rows[1]});
    grid.assign(b, {columns[0], columns[1], columns[0], columns[1]});
    expectSame(grid, 4, "leaves " + std::to_string(a) + " and " + std::to_string(b));
  }
  EXPECT_GT(runs, 1);
}

/// The axes of parameters and inputs, as text.
std::string sourceAxes(const Graph &graph, const GraphAxes &axes) {
  AxisNames names(graph, axes);
  std::string text;
  for (ValueKind kind : {ValueKind::Parameter, ValueKind::Input})
    for (ValueId id : graph.sources(kind))
      text += graph.value(id).name + names.text(id) + "\n";
  return text;
}

TEST_P(FixtureValues, TheOrderOfNodesDoesNotMatter) {
  std::mt19937 random(29);
  std::string text = sourceAxes(whole_.graph, axes_);
  for (int i = 0; i < 5; ++i) {
    Graph other = reordered(whole_.graph, random);
    EXPECT_EQ(sourceAxes(other, findAxes(other)), text);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FixtureValues,
                         testing::Combine(testing::Values("mlp", "llama", "llama-ts", "gpt2", "nanogpt"),
                                          testing::Bool()),
                         [](const auto &info) {
                           std::string name = std::get<0>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + (std::get<1>(info.param) ? "_recognised" : "_plain");
                         });

} // namespace
} // namespace autotp::test

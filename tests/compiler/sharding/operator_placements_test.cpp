// Every operator and its gradient under every assignment of one or two leaf axes, against the whole operator.
#include "passes/shard/place_reductions.h"
#include "runtime/base/indexed.h"
#include "tests/compiler/sharding/operator_example.h"

#include "llvm/Support/FormatVariadic.h"

namespace autotp::test {
namespace {

/// A grid of tiles over the plane of two leaves that multiply.
std::pair<std::vector<Interval>, std::vector<Interval>> randomGrid(int64_t a, int64_t b, int tp, std::mt19937 &random) {
  int columns = tp % 2 == 0 ? 2 : 1;
  auto rows = randomTiling(a, tp / columns, random), across = randomTiling(b, columns, random);
  std::pair<std::vector<Interval>, std::vector<Interval>> tiles;
  for (int c = 0; c < tp; ++c) {
    tiles.first.push_back(rows[size_t(c / columns)]);
    tiles.second.push_back(across[size_t(c % columns)]);
  }
  return tiles;
}

struct Totals {
  int runs = 0, sharded = 0;
};

void checkAll(Example &example, std::mt19937 &random, Totals &totals) {
  GraphAxes axes = findAxes(example.graph);
  AxisFacts facts(example.graph, axes);
  std::vector<AxisId> leaves = legalLeaves(example.graph, axes, facts);
  std::vector<Array> whole = llvm::cantFail(evaluateGraph(example.graph, example.sources));
  auto check = [&](Assignment assignment, int tp) {
    ++totals.runs;
    Sharding sharding{example.graph, axes, std::move(assignment), tp};
    EXPECT_EQ(firstDifference(sharding, example.sources, whole), "") << example.name << " at tp " << tp;
  };
  for (size_t i = 0; i < leaves.size(); ++i)
    for (int tp : {2, 3}) {
      int64_t size = axes.arena.size(leaves[i]);
      Assignment even, shuffled;
      even.assign(leaves[i], evenIntervals(size, tp));
      shuffled.assign(leaves[i], randomTiling(size, tp, random));
      check(even, tp);
      check(shuffled, tp);
      for (size_t j = 0; j < i; ++j) {
        int64_t other = axes.arena.size(leaves[j]);
        Assignment both = shuffled;
        both.assign(leaves[j], randomTiling(other, tp, random));
        if (!facts.multiply(leaves[i], leaves[j])) check(both, tp);
        auto [mine, theirs] = randomGrid(size, other, 2 * tp, random);
        Assignment tiled;
        tiled.assign(leaves[i], mine);
        tiled.assign(leaves[j], theirs);
        if (facts.multiply(leaves[i], leaves[j])) check(tiled, 2 * tp);
      }
      totals.sharded += 1;
    }
}

TEST(OperatorPlacements, EveryAssignmentOfOneAndTwoLeaves) {
  std::mt19937 random(5);
  Totals totals;
  unsigned seed = 0;
  for (const optest::OpCase &c : optest::gradientCases()) {
    Example example = exampleOf(c, ++seed);
    checkAll(example, random, totals);
  }
  EXPECT_GT(totals.runs, 1500) << "few assignments were tried";
}

/// A call whose operands in `partial` are sums that two ranks have still to add: tp lies on their first dimension.
struct PartialCall {
  PartialCall(const OperatorCall &call, unsigned partial, std::mt19937 &random) {
    Builder b(graph);
    llvm::SmallVector<ValueId, 4> operands, addends;
    for (const auto &[k, operand] : indexed(call.operands)) {
      bool isPartial = partial >> k & 1;
      Type type = operand.type;
      if (isPartial) type.shape.insert(type.shape.begin(), 2);
      ValueId id = isFloat(type.dtype) ? graph.addParameter("x", type) : graph.addInput("i", type);
      if (isFloat(type.dtype)) graph.parameters.push_back({id, {}});
      sources[id] = Array(type);
      std::vector<double> &data = sources[id].data;
      for (size_t i = 0, n = operand.data.size(); i < n; ++i) {
        double other = isPartial ? double(random() % 2001) / 1000 - 1 : 0;
        data[i] = operand.data[i] - other;
        if (isPartial) data[n + i] = other;
      }
      llvm::SmallVector<int64_t, 6> first = {0};
      if (isPartial) addends.push_back(id);
      operands.push_back(isPartial ? b.make("reduce_sum", {id}, {{"axes", first}, {"keepdims", int64_t(0)}}) : id);
    }
    auto results = llvm::cantFail(b.tryMake(call.op, operands, call.attributes, call.results));
    node = graph.value(results[0]).producer;
    for (ValueId result : results)
      graph.outputs.push_back({graph.value(result).name, result});
    axes = findAxes(graph);
    for (ValueId addend : addends)
      assignment.assign(axes.arena.find(axes.values[addend][0]), evenIntervals(2, 2));
    reductions.isPartial.assign(graph.numValues(), false);
    reductions.isReduced.assign(graph.numValues(), false);
    for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
      for (ValueId result : graph.node(id).results)
        reductions.isPartial[result] = true;
  }

  bool passes(unsigned partial) const {
    unsigned n = 0;
    for (unsigned k = 0; k < graph.node(node).operands.size(); ++k)
      for (unsigned j = 0; partial >> k & 1 && j < graph.node(node).results.size(); ++j) {
        if (!passesThrough(graph, axes, assignment, node, k, j)) return false;
        n += j == 0;
      }
    return n < 2 || opOf(graph.node(node)).isAdditive;
  }

  Graph graph;
  Sources sources;
  NodeId node;
  GraphAxes axes;
  Assignment assignment;
  Reductions reductions;
};

TEST(OperatorPlacements, EveryPartialOperandThatMayPass) {
  std::mt19937 random(9);
  std::set<std::string> passed;
  for (const OperatorCall &call : operatorCalls())
    for (unsigned partial = 1; partial < 1u << call.operands.size(); ++partial) {
      bool areFloats = true;
      for (const auto &[k, operand] : indexed(call.operands))
        areFloats &= !(partial >> k & 1) || isFloat(operand.type.dtype);
      if (!areFloats) continue;
      PartialCall example(call, partial, random);
      if (!example.passes(partial)) continue;
      passed.insert(call.op);
      std::vector<Array> whole = llvm::cantFail(evaluateGraph(example.graph, example.sources));
      Sharding sharding{example.graph, example.axes, example.assignment, 2, example.reductions};
      EXPECT_EQ(firstDifference(sharding, example.sources, whole), "") << call.text() << " partial " << partial;
    }
  for (const OpDef *row : allOps())
    EXPECT_TRUE(row->linearIn == 0 || passed.count(row->name)) << row->name << " lets nothing pass";
}

/// The elements of `array` whose index along dimension `dim` is `at`.
std::vector<size_t> sliceOf(const Array &array, size_t dim, int64_t at) {
  int64_t inner = 1;
  for (size_t d = dim + 1; d < array.type.shape.size(); ++d)
    inner *= array.type.shape[d];
  std::vector<size_t> elements;
  for (size_t i = 0; i < array.data.size(); ++i)
    if (int64_t(i) / inner % array.type.shape[dim] == at) elements.push_back(i);
  return elements;
}

/// Whether index i of an operand's dimension reaches just index i of a result's, for all i.
bool isSameIndex(const Example &example, ValueId operand, size_t d, ValueId result, size_t e,
                 llvm::ArrayRef<Array> whole) {
  bool reaches = false;
  for (int64_t i = 0; i < example.graph.type(operand).shape[d]; ++i) {
    Sources changed = example.sources;
    for (size_t at : sliceOf(changed[operand], d, i))
      changed[operand].data[at] += 0.37;
    std::vector<Array> values = llvm::cantFail(evaluateGraph(example.graph, changed));
    std::vector<size_t> own = sliceOf(values[result], e, i);
    for (size_t at = 0; at < values[result].data.size(); ++at) {
      bool differs = values[result].data[at] != whole[result].data[at];
      if (differs && !llvm::is_contained(own, at)) return false;
      reaches |= differs;
    }
  }
  return reaches;
}

/// A relation that holds by value and that a row leaves out would cost speed.
TEST(OperatorPlacements, NoRelationIsMissing) {
  unsigned seed = 100;
  std::set<std::string> missing;
  for (const optest::OpCase &c : optest::gradientCases()) {
    Example example = exampleOf(c, ++seed);
    const Node &node = example.graph.node(example.graph.first());
    GraphAxes axes = findAxes(example.graph);
    std::vector<Array> whole = llvm::cantFail(evaluateGraph(example.graph, example.sources));
    auto leavesOf = [&](ValueId value, size_t d) {
      auto leaves = axes.arena.leaves(axes.values[value][d]);
      for (AxisId &leaf : leaves)
        leaf = axes.arena.find(leaf);
      return leaves;
    };
    for (ValueId operand : node.operands)
      for (ValueId result : node.results)
        for (size_t d = 0; d < example.graph.type(operand).shape.size(); ++d)
          for (size_t e = 0; e < example.graph.type(result).shape.size(); ++e) {
            int64_t size = example.graph.type(operand).shape[d];
            bool isAlike =
                size > 1 && size == example.graph.type(result).shape[e] && isFloat(example.graph.type(operand).dtype);
            if (isAlike && leavesOf(operand, d) != leavesOf(result, e) &&
                isSameIndex(example, operand, d, result, e, whole))
              missing.insert(llvm::formatv("{0}: dimension {1} of {2} and {3} of {4}", example.name, d,
                                           example.graph.value(operand).name, e, example.graph.value(result).name)
                                 .str());
          }
  }
  EXPECT_EQ(missing, std::set<std::string>());
}

} // namespace
} // namespace autotp::test

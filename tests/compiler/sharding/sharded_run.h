/// \file A graph sharded over tp ranks and evaluated in lock-step, every value compared with the whole graph's.
#pragma once

#include "compiler/ops/evaluate.h"
#include "compiler/sharding/axis_facts.h"
#include "compiler/sharding/find_axes.h"
#include "compiler/sharding/local_program.h"

#include <functional>
#include <random>
#include <set>

namespace autotp::test {

/// Of a graph of this shape: random numbers for parameters without contents, tokens below `limit` for integer inputs.
Sources randomSources(const Graph &graph, unsigned seed, int64_t limit = 4);
/// The same graph in f64, so that differences are mistakes and not rounding.
void widen(Graph &graph);

/// The same graph with its nodes in another order that respects their operands.
Graph reordered(const Graph &graph, std::mt19937 &random);

/// All leaves of the axes of a graph that may be sharded, in a fixed order.
std::vector<AxisId> legalLeaves(const Graph &graph, const GraphAxes &axes, const AxisFacts &facts);
/// Intervals that tile [0, size), some empty, in any order.
std::vector<Interval> randomTiling(int64_t size, int tp, std::mt19937 &random);

struct Sharding {
  const Graph &graph;
  const GraphAxes &axes;
  Assignment assignment;
  int tp;
  std::optional<Reductions> reductions = {};            ///< else where placeReductions puts them
  std::function<void(Graph &local, int c)> change = {}; ///< made to each local graph before it runs
};

/// "" where all values of all ranks are their parts of the whole graph's, and partial ones add up to them; else
/// what differs first. `whole`: all values of the whole graph.
std::string firstDifference(const Sharding &sharding, const Sources &sources, llvm::ArrayRef<Array> whole);

} // namespace autotp::test

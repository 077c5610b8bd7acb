/// \file Decides which logical axes are sharded over tp, from the work that each divides and the bytes that it makes
/// ranks send.
/// Before:  axes of the graph
/// After:   tp = {kv[0], ffn[0], vocab}: for each chosen leaf, the interval that every tp rank holds
/// Candidates are the leaves of parameters that occur in at most one dimension of every value, and that no operator
/// needs whole. They are taken in descending order of saved / (sent + latency); a candidate that multiplies with a
/// taken one stays whole. docs/axes.md has the formulas. Each decision is recorded with its reason, for the report. The
/// user's rules are obeyed first.
#pragma once

#include "compiler/axes/cover.h"
#include "compiler/ir/ids.h"
#include "passes/shard/partition_rules.h"

#include <string>

namespace autotp {

class Graph;
struct GraphAxes;

/// What a byte and a FLOP cost. The defaults describe ranks of one host that share memory; only their ratios matter.
struct MachineModel {
  double flopsPerSecond = 2e11;
  double linkBytesPerSecond = 1e10;
  double latencySeconds = 5e-6;
};

/// Auto refuses an axis if sharding it is estimated to cost more time than it saves; All takes every axis that may be
/// sharded.
enum class ShardMode : uint8_t { Auto, All };

struct AxisDecision {
  AxisId leaf;
  std::string name; ///< the name and dimension of a parameter that has the leaf; it does not change between compiles
  int64_t size;
  bool isChosen;
  std::string reason;                       ///< why the leaf stays whole; empty if it is chosen
  llvm::SmallVector<ValueId, 4> parameters; ///< the parameters that have the leaf
  double savedSeconds, sentSeconds;         ///< estimates for one micro-step, in seconds
};

struct ChosenAxes {
  Assignment assignment;
  std::vector<AxisDecision> decisions; ///< in the order in which they were made
};

/// Errors: a demand of `rules` of which no leaf can be sharded, with the reason against its first leaf.
llvm::Expected<ChosenAxes> chooseAxes(const Graph &graph, const GraphAxes &axes, int tp, ShardMode mode,
                                      const AxisRules &rules = {}, const MachineModel &machine = {});

} // namespace autotp

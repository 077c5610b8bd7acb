/// \file Decides which logical axes are sharded over tp, by what each divides and what it makes the ranks send.
/// Before:  axes of the graph
/// After:   tp = {kv[0], ffn[0], vocab}: for each chosen leaf the interval that every coordinate holds
/// Candidates are axes that some parameter has, that meet themselves nowhere (both dimensions of one value), and that
/// no operator needs whole. They are taken in order of saved / sent, as long as they multiply with none that was taken.
/// Every decision and its reason is recorded for the report. The user's rules come first: what they demand is taken, or
/// is an error with the reason against it.
#pragma once

#include "compiler/sharding/graph_axes.h"
#include "passes/shard/partition_rules.h"

#include <string>

namespace autotp {

/// What a byte and a FLOP cost. The defaults are ranks of one host that share memory; only ratios matter.
struct MachineModel {
  double flopsPerSecond = 2e11;
  double linkBytesPerSecond = 1e10;
  double latencySeconds = 5e-6;
};

enum class ShardMode : uint8_t { Auto, All };

struct AxisDecision {
  AxisId leaf;
  std::string name; ///< stable: a parameter that has it, and its dimension
  int64_t size;
  bool isChosen;
  std::string reason;                       ///< why it is left whole; empty for a chosen one
  llvm::SmallVector<ValueId, 4> parameters; ///< that have it
  double savedSeconds, sentSeconds;
};

struct ChosenAxes {
  Assignment assignment;
  std::vector<AxisDecision> decisions; ///< in the order in which they were made
};

llvm::Expected<ChosenAxes> chooseAxes(const Graph &graph, const GraphAxes &axes, int tp, ShardMode mode,
                                      const AxisRules &rules = {}, const MachineModel &machine = {});

} // namespace autotp

/// \file The program of one tp rank, and what decides it. Placement hands these types to partition.
#pragma once

#include "compiler/ir/graph.h"
#include "compiler/sharding/graph_axes.h"

namespace autotp {

/// Which values are Partial over tp, and where they are reduced.
struct Reductions {
  std::vector<bool> isPartial; ///< by ValueId: whether it is Partial when its producer has run
  std::vector<bool> isReduced; ///< by ValueId: whether it is reduced right there, so that every use reads the whole sum
};

/// A part of the graph that works under an assignment of its own (passes/shard/sequence_region.h).
struct SequenceRegion {
  Assignment assignment;   ///< the leaves of the graph's assignment and those of the sequence
  std::vector<bool> nodes; ///< by NodeId: whether the node works under `assignment`
  std::vector<bool> held;  ///< by ValueId: whether it lies in parts of the sequence, after a reduction if there is one
};

struct LocalParameter {
  ValueId global; ///< in the global graph
  /// In the local graph; the gradient is still to be summed over dp, and kNone before differentiation.
  ValueId local, gradient;
  llvm::SmallVector<Cover, 6> covers; ///< one for each dimension
  llvm::SmallVector<Interval, 2>
      counted;               ///< flat local elements that no earlier tp rank holds: those count in the norm
  bool isReplicated = false; ///< whether every tp rank holds all of it
  bool isPartial = false;    ///< whether the gradient is Partial over tp as well
};

/// A part of a constant of the global graph.
struct LocalConstant {
  ValueId local;
  llvm::SmallVector<Cover, 6> covers; ///< one for each dimension
};

struct LocalProgram {
  /// Its outputs are those of the global graph: a gradient is sharded like its parameter, all others are whole.
  Graph graph;
  std::vector<LocalParameter> parameters;
  std::vector<LocalConstant> constants; ///< those of which this rank has only a part
  std::vector<ValueId> values;          ///< by ValueId of the global graph: the local value, kNone if there is none
  int tpRank = 0;                       ///< the tp rank
};

/// Everything that decides a local program. Refers to its parts and owns none.
struct PlacedGraph {
  const Graph &graph;
  const GraphAxes &axes;
  const Assignment &assignment;
  const Reductions &reductions;
  int tp;
  /// Whether inputs are sharded; otherwise each rank is fed the whole, and each use takes its part.
  bool shardsInputs = false;
  const SequenceRegion *region = nullptr;

  /// The assignment under which a node works, and the one under which uses of a value find it.
  const Assignment &ofNode(NodeId id) const { return region && region->nodes[id] ? region->assignment : assignment; }
  const Assignment &ofValue(ValueId id) const { return region && region->held[id] ? region->assignment : assignment; }
};

} // namespace autotp

/// \file What decides the program of one tp coordinate, and that program: the words between placement and partition.
#pragma once

#include "compiler/sharding/graph_axes.h"

namespace autotp {

/// Where pending sums are reduced.
struct Reductions {
  std::vector<bool> isPartial; ///< by ValueId: a sum is pending when its producer has run
  std::vector<bool> isReduced; ///< by ValueId: reduced right there; every user sees the whole sum
};

/// A part of the graph that has an assignment of its own: see passes/shard/sequence_region.h.
struct SequenceRegion {
  Assignment assignment;   ///< the graph's, and the sequence
  std::vector<bool> nodes; ///< by NodeId: works under it
  std::vector<bool> held;  ///< by ValueId: lies in parts of the sequence, once it is reduced
};

struct LocalParameter {
  ValueId global;          ///< in the global graph
  ValueId local, gradient; ///< in the local graph; the gradient (kNone before there is one) is still pending over dp
  llvm::SmallVector<Cover, 6> covers; ///< one a dimension
  llvm::SmallVector<Interval, 2>
      counted;               ///< flat local elements that no earlier coordinate holds: they count in the norm
  bool isReplicated = false; ///< every coordinate holds all of it
  bool isPending = false;    ///< the gradient is still pending over tp, too
};

/// A part of a constant of the global graph.
struct LocalConstant {
  ValueId local;
  llvm::SmallVector<Cover, 6> covers; ///< one a dimension
};

struct LocalProgram {
  Graph graph; ///< the outputs of the global graph: gradients as their parameters are held, all others whole
  std::vector<LocalParameter> parameters;
  std::vector<LocalConstant> constants; ///< those of which this coordinate has a part
  std::vector<ValueId> values;          ///< by ValueId of the global graph: its part here; kNone where there is none
  int coordinate = 0;                   ///< on tp
};

/// Everything that decides a local program.
struct PlacedGraph {
  const Graph &graph;
  const GraphAxes &axes;
  const Assignment &assignment;
  const Reductions &reductions;
  int tp;
  bool shardsInputs = false; ///< else inputs are fed whole and every use takes its part
  const SequenceRegion *region = nullptr;

  /// What a node works under, and what a value lies as when its users read it.
  const Assignment &ofNode(NodeId id) const { return region && region->nodes[id] ? region->assignment : assignment; }
  const Assignment &ofValue(ValueId id) const { return region && region->held[id] ? region->assignment : assignment; }
};

} // namespace autotp

/// \file The logical axes of a graph: one term for each dimension of each value, found by unification (docs/axes.md).
#pragma once

#include "compiler/axes/axis_arena.h"
#include "compiler/axes/cover.h"
#include "compiler/axes/index_text.h"
#include "compiler/ir/graph.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

using Terms = llvm::SmallVector<AxisId, 6>;

/// The axes of one node, as its operator's rule sees them.
struct NodeAxes {
  IndexTerms terms;
  llvm::SmallVector<bool, 4> isCut; ///< operands that could not be unified: a reshard may stand there
};

struct GraphAxes {
  AxisArena arena;
  std::vector<Terms> values;   ///< by ValueId; empty for constants, which have terms at each use
  std::vector<NodeAxes> nodes; ///< by NodeId
};

/// Constants, and values made from nothing (full), have terms at each use and none of their own: any part of them is
/// free.
bool hasTermsPerUse(const Graph &graph, ValueId value);

/// The rule of a node's operator, by its text or its function.
IndexTerms axesOf(AxisArena &arena, const Graph &graph, const Node &node);

/// Shapes and intervals under an assignment, for one coordinate of the mesh axis.
Shape localShape(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, llvm::ArrayRef<int64_t> shape,
                 const Assignment &assignment, int coordinate);
llvm::SmallVector<Cover, 6> coversOf(const AxisArena &arena, llvm::ArrayRef<AxisId> terms,
                                     llvm::ArrayRef<int64_t> shape, const Assignment &assignment, int coordinate);
bool isSharded(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, const Assignment &assignment);

/// Names for the leaves of a graph's axes, x0, x1, .. in the order in which its values show them, sources first: equal
/// graphs give equal text, whatever the order of their nodes.
class AxisNames {
public:
  AxisNames(const Graph &graph, const GraphAxes &axes);
  /// " {x0 (x1 x2)}": the terms of a value, one a dimension, 1 where it has no axis; empty for a scalar or a constant.
  std::string text(ValueId value) const;

private:
  const GraphAxes &axes_;
  llvm::DenseMap<AxisId, unsigned> numbers_; // looked up only
};

} // namespace autotp

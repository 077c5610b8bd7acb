/// \file The logical axes of a graph: one term for each dimension of each value, found by unification (docs/axes.md).
#pragma once

#include "compiler/axes/axis_arena.h"
#include "compiler/axes/cover.h"
#include "compiler/axes/index_text.h"
#include "compiler/ir/ids.h"
#include "compiler/ir/tensor.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

class Graph;
struct Node;

using Terms = llvm::SmallVector<AxisId, 6>;

/// The axes of one node, as its operator row states them.
struct NodeAxes {
  IndexTerms terms;
  llvm::SmallVector<bool, 4> isCut; ///< by operand: it could not be unified, so a reshard may be needed there
};

struct GraphAxes {
  AxisArena arena;
  std::vector<Terms> values;   ///< by ValueId; empty for values with hasTermsPerUse()
  std::vector<NodeAxes> nodes; ///< by NodeId
};

/// Whether the value is a constant or the result of full. Such values have new terms at each use and none of their own,
/// since a rank can take any part of them without communication.
bool hasTermsPerUse(const Graph &graph, ValueId value);

/// The terms of a node by its operator row, from a text or a function.
IndexTerms axesOf(AxisArena &arena, const Graph &graph, const Node &node);

/// The local shape of a value on tp rank `tpRank`, and the covers of its dimensions; `shape` is the global one.
Shape localShape(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, llvm::ArrayRef<int64_t> shape,
                 const Assignment &assignment, int tpRank);
llvm::SmallVector<Cover, 6> coversOf(const AxisArena &arena, llvm::ArrayRef<AxisId> terms,
                                     llvm::ArrayRef<int64_t> shape, const Assignment &assignment, int tpRank);
bool isSharded(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, const Assignment &assignment);

/// Names the leaves of a graph's axes x0, x1, .. in the order in which its values show them, sources first. Equal
/// graphs thus give equal text, whatever the order of their nodes.
class AxisNames {
public:
  AxisNames(const Graph &graph, const GraphAxes &axes);
  /// The terms of a value as text such as " {x0 (x1 x2)}", with 1 for a dimension without an axis. Empty for a scalar
  /// or a constant.
  std::string text(ValueId value) const;

private:
  const GraphAxes &axes_;
  llvm::DenseMap<AxisId, unsigned> numbers_; // only looked up
};

} // namespace autotp

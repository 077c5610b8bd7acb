/// \file What a graph says about each logical axis: whether it may be sharded at all, and with which other axes it
/// multiplies.
#pragma once

#include "compiler/sharding/graph_axes.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <string>

namespace autotp {

class Graph;
struct Node;

/// All axes are leaves, given as roots of the arena.
class AxisFacts {
public:
  AxisFacts(const Graph &graph, const GraphAxes &axes);

  /// The reason why `leaf` must stay whole: it occurs in two dimensions of one value, or an operator needs it whole.
  /// Empty if it may be sharded.
  std::string whole(AxisId leaf) const { return whole_.lookup(leaf); }
  /// Whether one value has both leaves, or the iteration space of one node does. Two such leaves can only be sharded
  /// over the same mesh axis as rectangles. Segments of one concat do not multiply.
  bool multiply(AxisId a, AxisId b) const;

private:
  using LeafSet = llvm::SmallVector<AxisId, 8>;
  LeafSet meetInTerm(AxisId term);
  void meet(llvm::ArrayRef<AxisId> some, llvm::ArrayRef<AxisId> others);
  void meetInValue(llvm::ArrayRef<AxisId> terms);
  void meetInIterationSpace(const IndexTerms &terms);
  void visit(const Node &node, const IndexTerms &terms);
  void markWhole(AxisId term, const std::string &reason);

  const AxisArena &arena_;
  llvm::DenseMap<AxisId, std::string> whole_;
  llvm::DenseMap<AxisId, llvm::DenseSet<AxisId>> multiplies_;
};

} // namespace autotp

/// \file What a graph allows of each logical axis: whether it may be sharded at all, and which others it multiplies
/// with.
#pragma once

#include "compiler/sharding/graph_axes.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <string>

namespace autotp {

/// Of leaf axes (roots of the arena). Tables are looked up only.
class AxisFacts {
public:
  AxisFacts(const Graph &graph, const GraphAxes &axes);

  /// Why `leaf` must stay whole, "" where it may be sharded: it meets itself in one value, or an operator needs all of
  /// it.
  std::string whole(AxisId leaf) const { return whole_.lookup(leaf); }
  /// Whether both are dimensions of one value, or of one operator's iteration space. Two such share a mesh axis only as
  /// rectangles of its coordinates. Segments of one concat do not multiply.
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

/// \file Copies a part of a graph into a graph of its own, from which a section is made.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

/// A part of a graph, and what its values are called there.
struct GraphSlice {
  Graph graph;
  llvm::DenseMap<ValueId, ValueId> values; ///< by ValueId of the graph that it was taken from
};

struct SliceOptions {
  llvm::function_ref<bool(const Node &)> keeps = nullptr; ///< nodes that are copied though no output needs them
  /// Nodes that are left out: result 0 is operand 0, which must have the same type.
  llvm::function_ref<bool(const Node &)> bypasses = nullptr;
};

/// Copies the nodes that these outputs need, their sources and the outputs. Parameters come without their contents.
GraphSlice sliceOf(const Graph &from, llvm::ArrayRef<Output> outputs, const SliceOptions &options = {});

} // namespace autotp

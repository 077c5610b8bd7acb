/// \file Selects points of a tensor, each given by one index in each of the leading dimensions.
#pragma once

#include "compiler/onnx/formula.h"

namespace autotp {

/// The index in one leading dimension of the data, for each point of an index space.
struct Component {
  std::optional<Array> known; ///< constant indices, of the index space's shape
  ValueId computed = kNone;

  /// The only dimension of the index space on which the indices depend; nothing if there are several, or they are
  /// computed.
  std::optional<size_t> dimension() const;
  /// For constant indices: isOneIndex() says whether all are equal; along() gives those along dimension `d` of the
  /// index space.
  bool isOneIndex() const;
  std::vector<double> along(const Shape &space, size_t d) const;
};

/// A component that is the index along one dimension of the index space.
Component counting(const Shape &space, size_t dimension);
/// Makes negative indices count from the front. Errors: one is outside a dimension of `size`.
llvm::Error wrapIndices(NodeImport &node, Array &indices, int64_t size);
/// The same for computed indices, which are checked when the program runs.
ValueId wrapIndices(Formula &f, ValueId indices, int64_t size);
/// The columns of an index tensor [space.., n]; if they were concatenated, each operand by itself.
llvm::Expected<std::vector<Component>> columnsOf(NodeImport &node, Formula &f, ValueId indices, const Shape &space);
/// The row-major number of each point among all points of the leading dimensions; kNone if there are no components.
ValueId numberOf(Formula &f, NodeImport &node, llvm::ArrayRef<int64_t> leading, llvm::ArrayRef<Component> components,
                 const Shape &space);
/// The elements at the points, [space.., rest of the data..].
ValueId atPoints(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components, const Shape &space);

} // namespace autotp

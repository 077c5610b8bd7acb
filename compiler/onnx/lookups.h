/// \file Points of a tensor that indices name, dimension by dimension.
#pragma once

#include "compiler/onnx/formula.h"

namespace autotp {

/// What chooses along one leading dimension of the data, for each point of an index space.
struct Component {
  std::optional<Array> known; ///< of the index space's shape
  ValueId computed = kNone;

  /// The only dimension of the index space that the choice depends on; nothing if there are several, or it is computed.
  std::optional<size_t> dimension() const;
  /// Of a known one: whether it chooses the same everywhere; what it chooses along a dimension of the index space.
  bool isOneIndex() const;
  std::vector<double> along(const Shape &space, size_t d) const;
};

/// The index along one dimension of the space itself.
Component counting(const Shape &space, size_t dimension);
/// Counted from the front; an error where one is outside a dimension of `size`.
llvm::Error wrapIndices(NodeImport &node, Array &indices, int64_t size);
/// The same of indices that are computed, which are checked when they are.
ValueId wrapIndices(Formula &f, ValueId indices, int64_t size);
/// The columns of an index tensor [space.., n]; each by itself where they were concatenated.
llvm::Expected<std::vector<Component>> columnsOf(NodeImport &node, Formula &f, ValueId indices, const Shape &space);
/// The number of each point among all of the leading dimensions, row-major; kNone where there are no components.
ValueId numberOf(Formula &f, NodeImport &node, llvm::ArrayRef<int64_t> leading, llvm::ArrayRef<Component> components,
                 const Shape &space);
/// What lies at the points: [space.., rest of the data..].
ValueId atPoints(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components, const Shape &space);

} // namespace autotp

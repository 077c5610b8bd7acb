/// \file Logical axes: which dimensions are one index. Union-find whose classes may be bound to a product or a
/// concatenation of other axes, so that a dimension is a small tree whose leaves are axes.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace autotp {

using AxisId = uint32_t;
constexpr AxisId kNoAxis = ~0u; ///< a dimension of size 1: an empty product

/// Invariants: the sizes of a product multiply up, those of a concat add up; no axis contains itself; factors() and
/// segments() are flat. Every write goes through a trail, so that undo() leaves no trace. Not thread-safe.
class AxisArena {
public:
  enum class Kind : uint8_t { Leaf, Product, Concat };
  using Mark = size_t;

  /// A fresh axis; kNoAxis for size 1.
  AxisId leaf(int64_t size);
  /// A fresh axis that may have size 1: a segment of a concat.
  AxisId segment(int64_t size);
  /// Factors of size 1 (kNoAxis) vanish; one factor is itself; none is kNoAxis.
  AxisId product(llvm::ArrayRef<AxisId> factors);
  AxisId concat(llvm::ArrayRef<AxisId> segments);

  AxisId find(AxisId axis) const;
  int64_t size(AxisId axis) const { return nodes_[find(axis)].size; }
  Kind kind(AxisId axis) const { return nodes_[find(axis)].kind; }
  /// Flattened; of anything but a product, the axis alone.
  llvm::SmallVector<AxisId> factors(AxisId axis) const;
  /// Flattened; of anything but a concat, the axis alone.
  llvm::SmallVector<AxisId> segments(AxisId axis) const;
  /// In tree order, once for each occurrence.
  llvm::SmallVector<AxisId> leaves(AxisId axis) const;

  /// Makes both one index, refining them where needed. All or nothing: false leaves no trace.
  bool unify(AxisId a, AxisId b);
  Mark mark() const { return trail_.size(); }
  void undo(Mark mark);
  /// Lets every axis know its class at once. What was done before cannot be undone any more.
  void settle();

  /// "(kv g (f|f))"
  std::string text(AxisId axis, const std::function<std::string(AxisId)> &nameOfLeaf) const;

private:
  struct Node {
    int64_t size;
    AxisId parent;
    Kind kind = Kind::Leaf;
    llvm::SmallVector<AxisId, 3> children;
  };
  AxisId add(int64_t size);
  void write(AxisId axis, Node node);
  void bind(AxisId leaf, Kind kind, llvm::ArrayRef<AxisId> children);
  bool contains(AxisId tree, AxisId axis) const;

  bool tryUnify(AxisId a, AxisId b);
  bool bindLeaf(AxisId leaf, AxisId tree);
  bool unifyProducts(AxisId a, AxisId b);
  bool unifyConcats(AxisId a, AxisId b);
  bool unifyProductWithConcat(AxisId product, AxisId concat);
  /// Refines an axis to `head` times `rest` and appends both; false where its structure does not allow it.
  bool splitFactor(AxisId axis, int64_t head, llvm::SmallVectorImpl<AxisId> &parts);
  /// Refines an axis to its first `length` elements and the others.
  bool cutSegment(AxisId axis, int64_t length, llvm::SmallVectorImpl<AxisId> &parts);
  bool factorOut(AxisId concat, int64_t rest, AxisId &head, AxisId &inner);

  std::vector<Node> nodes_;
  std::vector<std::pair<AxisId, Node>> trail_; ///< what a node was before a write
  int depth_ = 0;
};

} // namespace autotp

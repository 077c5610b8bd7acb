/// \file Logical axes, by which the compiler knows which dimensions run over the same index. This is a union-find whose
/// classes may be bound to a product or a concat of other axes, so the term of a dimension is a small tree with axes as
/// leaves.
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
constexpr AxisId kNoAxis = ~0u; ///< the axis of a dimension of size 1: an empty product

/// Invariants: the size of a product is the product of its factors' sizes, that of a concat the sum of its segments'
/// sizes; no axis contains itself; factors() and segments() are flat. Every write is recorded in a trail, so that
/// undo() restores the state before. Not thread-safe.
class AxisArena {
public:
  enum class Kind : uint8_t { Leaf, Product, Concat };
  using Mark = size_t;

  /// A new axis; kNoAxis if `size` is 1.
  AxisId leaf(int64_t size);
  /// A new axis that may have size 1, since it is a segment of a concat.
  AxisId segment(int64_t size);
  /// The axis of a dimension that runs over `factors`, the first outermost. kNoAxis among them is left out; one factor
  /// is returned itself, and none gives kNoAxis.
  AxisId product(llvm::ArrayRef<AxisId> factors);
  /// The axis of a dimension that consists of consecutive `segments`.
  AxisId concat(llvm::ArrayRef<AxisId> segments);

  /// The root of the axis's class. Compare axes by their roots.
  AxisId find(AxisId axis) const;
  int64_t size(AxisId axis) const { return nodes_[find(axis)].size; }
  Kind kind(AxisId axis) const { return nodes_[find(axis)].kind; }
  /// The factors of a product, flattened; any other axis is its only factor.
  llvm::SmallVector<AxisId> factors(AxisId axis) const;
  /// The segments of a concat, flattened; any other axis is its only segment.
  llvm::SmallVector<AxisId> segments(AxisId axis) const;
  /// The leaves of the term in tree order; a leaf that occurs twice is listed twice.
  llvm::SmallVector<AxisId> leaves(AxisId axis) const;

  /// Makes both terms the same index, refining them if needed (docs/axes.md). Returns false and changes nothing if that
  /// is impossible.
  bool unify(AxisId a, AxisId b);
  /// mark() remembers a state, and undo() goes back to it, in reverse order of the marks.
  Mark mark() const { return trail_.size(); }
  void undo(Mark mark);
  /// Links every axis directly to its root. Changes before this call cannot be undone any more.
  void settle();

  /// The term as text such as "(kv g (f|f))".
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
  /// Refines an axis to a product of `head` and the rest and appends both to `parts`; false if its structure does not
  /// allow it.
  bool splitFactor(AxisId axis, int64_t head, llvm::SmallVectorImpl<AxisId> &parts);
  /// Refines an axis to a concat of its first `length` elements and the others and appends both; false as above.
  bool cutSegment(AxisId axis, int64_t length, llvm::SmallVectorImpl<AxisId> &parts);
  bool factorOut(AxisId concat, int64_t rest, AxisId &head, AxisId &inner);

  std::vector<Node> nodes_;
  std::vector<std::pair<AxisId, Node>> trail_; ///< each written node with its contents before the write
  int depth_ = 0;
};

} // namespace autotp

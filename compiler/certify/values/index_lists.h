/// \file Ordered lists of global indices: which elements of a dimension a local tensor holds, and in which order.
/// Lists are interned, so that equal ones have one number and every operation is remembered.
#pragma once

#include "compiler/axes/cover.h"
#include "compiler/certify/values/byte_key.h"
#include "compiler/certify/values/ids.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace autotp {

/// Adds an interval at the end: if it follows on the last one, that one grows; an empty one is dropped.
void append(llvm::SmallVectorImpl<Interval> &list, Interval next);

/// Keeps lists by number. A free list has a length and no indices: the elements do not depend on the index, so any indices
/// would do. In a list that is free within blocks they depend on the block alone, so any `perBlock` indices of each of these
/// blocks would do.
class IndexLists {
public:
  ListId whole(int64_t size);
  ListId free(int64_t length);
  /// Merges adjacent intervals, and drops empty ones.
  ListId of(llvm::ArrayRef<Interval> intervals);

  int64_t length(ListId list) const { return entries_[list].length; }
  bool isFree(ListId list) const { return entries_[list].perBlock != 0; }
  /// Says whether elements held as `free` are also those of `list`.
  bool fits(ListId free, ListId list);
  llvm::ArrayRef<Interval> intervals(ListId list) const { return entries_[list].intervals; }
  bool isWhole(ListId list, int64_t size) { return list == whole(size); }
  /// Returns the first index; 0 if the list is empty.
  int64_t first(ListId list) const;
  Sizes lengths(llvm::ArrayRef<ListId> lists) const;
  int64_t elements(llvm::ArrayRef<ListId> lists) const;
  std::string text(ListId list) const;
  std::string text(llvm::ArrayRef<ListId> lists) const;

  /// Returns list[position] for each position, in order.
  ListId select(ListId list, ListId positions);
  /// Says at which position each index stands in `window`; nothing if one is not there.
  std::optional<ListId> positionsIn(ListId list, ListId window);
  ListId shifted(ListId list, int64_t by);
  /// Puts b behind a; nothing if either is free and the other one is not.
  std::optional<ListId> joined(ListId a, ListId b);
  /// Returns the indices that lie in [begin, end), counted from begin.
  ListId within(ListId list, int64_t begin, int64_t end);
  bool isAscending(ListId list) const;

  /// Returns outer * innerSize + inner for each index of both; nothing if that is not worth following.
  std::optional<ListId> product(ListId outer, ListId inner, int64_t innerSize);
  /// Returns the two lists whose product a list is; nothing if it is none.
  std::optional<std::pair<ListId, ListId>> split(ListId list, int64_t innerSize);

  /// Returns the lists of a tensor of shape `from` under the shape `to`, the same elements in the same order. `local` is the
  /// local shape, which says what is empty and how long a free list is.
  std::optional<Lists> refold(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<ListId> lists, llvm::ArrayRef<int64_t> to,
                              llvm::ArrayRef<int64_t> local);

  /// Returns boxes of a tensor of these sizes that together are a run of its elements, in order.
  std::vector<Lists> boxesOf(llvm::ArrayRef<int64_t> sizes, Interval run);

  // These take lists as sets.
  ListId intersection(ListId a, ListId b);
  bool isDisjoint(ListId a, ListId b) { return length(intersection(a, b)) == 0; }
  bool contains(ListId a, ListId b) { return a == b || length(intersection(a, b)) == length(b); }

private:
  struct Entry {
    llvm::SmallVector<Interval, 1> intervals; ///< of blocks, if the list is free
    int64_t length = 0, perBlock = 0;
    int64_t blockSize = 0; ///< 0: one block, of any size
  };
  bool isFreeAltogether(ListId list) const { return isFree(list) && entries_[list].blockSize == 0; }
  /// Returns a list that fits nothing, for what cannot be said of a list that is free within blocks.
  ListId unknown(int64_t length);
  std::optional<Interval> positionsOf(Interval wanted, ListId window) const;
  std::optional<ListId> freeProduct(ListId outer, ListId inner, int64_t innerSize);
  ListId freeWithin(ListId blocks, int64_t blockSize, int64_t perBlock);
  ListId intern(Entry entry);
  std::optional<Lists> refoldAnew(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<ListId> lists,
                                  llvm::ArrayRef<int64_t> to, llvm::ArrayRef<int64_t> local);
  /// Refolds one group of dimensions, of which the sizes have equal products before and after.
  bool refoldGroup(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<ListId> lists, llvm::ArrayRef<int64_t> to,
                   llvm::ArrayRef<int64_t> local, llvm::MutableArrayRef<ListId> out);

  std::deque<Entry> entries_;
  ByteMap<ListId> known_;
  llvm::DenseMap<int64_t, ListId> wholes_;
  ByteMap<std::optional<Lists>> refolds_;
};

} // namespace autotp

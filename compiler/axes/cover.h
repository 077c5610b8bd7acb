/// \file What one coordinate of a mesh axis holds of a dimension, from the intervals its leaf axes were given.
#pragma once

#include "compiler/axes/axis_arena.h"

#include <map>

namespace autotp {

struct Interval {
  int64_t begin, end; ///< half open
  bool operator==(const Interval &) const = default;
};
using Cover = llvm::SmallVector<Interval, 2>; ///< sorted, disjoint, merged; empty: nothing

/// Leaf (a root: arena.find) -> one interval for each coordinate. Assign after the last unify.
class Assignment {
public:
  void assign(AxisId leaf, llvm::ArrayRef<Interval> perCoordinate) { intervals_[leaf] = perCoordinate.vec(); }
  bool has(AxisId leaf) const { return intervals_.count(leaf); }
  llvm::ArrayRef<Interval> intervals(AxisId leaf) const { return intervals_.at(leaf); }
  int coordinates() const { return intervals_.empty() ? 1 : int(intervals_.begin()->second.size()); }
  bool empty() const { return intervals_.empty(); }
  /// What either assigns; the two share no leaf.
  Assignment joined(const Assignment &other) const {
    Assignment both = *this;
    both.intervals_.insert(other.intervals_.begin(), other.intervals_.end());
    return both;
  }

private:
  std::map<AxisId, std::vector<Interval>> intervals_;
};

Cover cover(const AxisArena &arena, AxisId term, const Assignment &assignment, int coordinate);
/// Elements of the cover.
int64_t localSize(const AxisArena &arena, AxisId term, const Assignment &assignment, int coordinate);
bool isSharded(const AxisArena &arena, AxisId term, const Assignment &assignment);

bool contains(const Cover &cover, int64_t index);

/// n intervals that tile `size`; the first ones have one more; may be empty.
std::vector<Interval> evenIntervals(int64_t size, int64_t n);
/// For each coordinate its interval of kv and of group; they tile the plane (docs/axes.md).
std::vector<std::pair<Interval, Interval>> rectangles(int64_t kv, int64_t group, int64_t tp);

} // namespace autotp

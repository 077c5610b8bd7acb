/// \file What one tp rank holds of a dimension, computed from its term and from the intervals that leaves are assigned.
#pragma once

#include "compiler/axes/axis_arena.h"
#include "runtime/plan/cover.h"

#include <map>

namespace autotp {

/// The sharded leaves, each with one interval for each tp rank. Leaves are given as roots (AxisArena::find), so assign
/// only after the last unify().
class Assignment {
public:
  void assign(AxisId leaf, llvm::ArrayRef<Interval> perTpRank) { intervals_[leaf] = perTpRank.vec(); }
  bool has(AxisId leaf) const { return intervals_.count(leaf); }
  llvm::ArrayRef<Interval> intervals(AxisId leaf) const { return intervals_.at(leaf); }
  /// The number of tp ranks; 1 if no leaf is assigned.
  int ranks() const { return intervals_.empty() ? 1 : int(intervals_.begin()->second.size()); }
  bool empty() const { return intervals_.empty(); }
  /// The leaves of both assignments, which must not share any.
  Assignment joined(const Assignment &other) const {
    Assignment both = *this;
    both.intervals_.insert(other.intervals_.begin(), other.intervals_.end());
    return both;
  }

private:
  std::map<AxisId, std::vector<Interval>> intervals_;
};
/// What tp rank `tpRank` holds of a dimension with this term.

Cover cover(const AxisArena &arena, AxisId term, const Assignment &assignment, int tpRank);
/// The number of elements in that cover.
int64_t localSize(const AxisArena &arena, AxisId term, const Assignment &assignment, int tpRank);
/// Whether a leaf of the term is assigned.
bool isSharded(const AxisArena &arena, AxisId term, const Assignment &assignment);

bool contains(const Cover &cover, int64_t index);

/// n intervals that together are [0, size); sizes differ by at most 1, the first are the larger ones, and some may be
/// empty.
std::vector<Interval> evenIntervals(int64_t size, int64_t n);
/// Divides the plane of kv x group query heads into tp rectangles. Returns for each tp rank its intervals of kv and of
/// group, which are empty if there are more ranks than heads (docs/axes.md).
std::vector<std::pair<Interval, Interval>> rectangles(int64_t kv, int64_t group, int64_t tp);

} // namespace autotp

#include "compiler/axes/cover.h"

#include <algorithm>

namespace autotp {
namespace {

void append(Cover &cover, Interval next) {
  if (next.begin >= next.end) return;
  if (!cover.empty() && cover.back().end == next.begin)
    cover.back().end = next.end;
  else
    cover.push_back(next);
}

Cover outerProduct(const Cover &outer, const Cover &inner, int64_t innerSize) {
  Cover all;
  bool isWhole = inner.size() == 1 && inner[0] == Interval{0, innerSize};
  for (Interval o : outer) {
    if (isWhole) append(all, {o.begin * innerSize, o.end * innerSize});
    for (int64_t i = o.begin; !isWhole && i < o.end; ++i)
      for (Interval x : inner)
        append(all, {i * innerSize + x.begin, i * innerSize + x.end});
  }
  return all;
}

} // namespace

Cover cover(const AxisArena &arena, AxisId term, const Assignment &assignment, int tpRank) {
  if (term == kNoAxis) return {Interval{0, 1}};
  term = arena.find(term);
  Cover all;
  switch (arena.kind(term)) {
  case AxisArena::Kind::Leaf:
    append(all, assignment.has(term) ? assignment.intervals(term)[tpRank] : Interval{0, arena.size(term)});
    return all;
  case AxisArena::Kind::Concat: {
    int64_t offset = 0;
    for (AxisId segment : arena.segments(term)) {
      for (Interval x : cover(arena, segment, assignment, tpRank))
        append(all, {offset + x.begin, offset + x.end});
      offset += arena.size(segment);
    }
    return all;
  }
  case AxisArena::Kind::Product: {
    llvm::SmallVector<AxisId> factors = arena.factors(term);
    all = cover(arena, factors.back(), assignment, tpRank);
    int64_t size = arena.size(factors.back());
    for (AxisId factor : llvm::reverse(llvm::ArrayRef<AxisId>(factors).drop_back())) {
      all = outerProduct(cover(arena, factor, assignment, tpRank), all, size);
      size *= arena.size(factor);
    }
    return all;
  }
  }
  return all;
}

int64_t localSize(const AxisArena &arena, AxisId term, const Assignment &assignment, int tpRank) {
  if (term == kNoAxis) return 1;
  term = arena.find(term);
  if (arena.kind(term) == AxisArena::Kind::Leaf) {
    if (!assignment.has(term)) return arena.size(term);
    Interval own = assignment.intervals(term)[tpRank];
    return std::max<int64_t>(0, own.end - own.begin);
  }
  bool isProduct = arena.kind(term) == AxisArena::Kind::Product;
  int64_t size = isProduct;
  for (AxisId part : isProduct ? arena.factors(term) : arena.segments(term)) {
    int64_t own = localSize(arena, part, assignment, tpRank);
    size = isProduct ? size * own : size + own;
  }
  return size;
}

bool isSharded(const AxisArena &arena, AxisId term, const Assignment &assignment) {
  return term != kNoAxis && llvm::any_of(arena.leaves(term), [&](AxisId leaf) { return assignment.has(leaf); });
}

bool contains(const Cover &cover, int64_t index) {
  return llvm::any_of(cover, [&](const Interval &held) { return held.begin <= index && index < held.end; });
}

std::vector<Interval> evenIntervals(int64_t size, int64_t n) {
  std::vector<Interval> all;
  for (int64_t i = 0, at = 0; i < n; ++i) {
    int64_t own = size / n + (i < size % n);
    all.push_back({at, at + own});
    at += own;
  }
  return all;
}

/// With at most as many ranks as KV heads, each takes whole KV heads. With more, each KV head has several ranks, which
/// divide its group of query heads.
std::vector<std::pair<Interval, Interval>> rectangles(int64_t kv, int64_t group, int64_t tp) {
  std::vector<std::pair<Interval, Interval>> all;
  if (tp <= kv) {
    for (Interval own : evenIntervals(kv, tp))
      all.push_back({own, {0, group}});
    return all;
  }
  if (tp > kv * group) { // the last ranks have no head
    all = rectangles(kv, group, kv * group);
    all.resize(tp, {Interval{kv, kv}, Interval{group, group}});
    return all;
  }
  int64_t head = 0;
  std::vector<Interval> shares = evenIntervals(tp, kv);
  std::reverse(shares.begin(), shares.end()); // the last KV heads have one rank more
  for (Interval share : shares) {
    for (Interval part : evenIntervals(group, share.end - share.begin))
      all.push_back({{head, head + 1}, part});
    ++head;
  }
  return all;
}

} // namespace autotp

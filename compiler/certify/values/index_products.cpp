// compiler/certify/values/index_products.cpp: lists under another shape, of which a dimension may be a product of others.
#include "compiler/certify/values/index_lists.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {
namespace {

/// More intervals than this are not worth following: the claim stays unproven.
constexpr int64_t kMostIntervals = int64_t(1) << 20;

} // namespace

std::optional<ListId> IndexLists::product(ListId outer, ListId inner, int64_t innerSize) {
  if (length(outer) == 0 || length(inner) == 0) return whole(0);
  if (isFree(outer) || isFree(inner)) return freeProduct(outer, inner, innerSize);
  llvm::SmallVector<Interval, 4> all;
  const bool isInnerWhole = isWhole(inner, innerSize);
  if (!isInnerWhole && length(outer) > kMostIntervals / int64_t(intervals(inner).size())) return std::nullopt;
  for (const Interval &o : intervals(outer)) {
    if (isInnerWhole) append(all, {o.begin * innerSize, o.end * innerSize});
    for (int64_t i = o.begin; !isInnerWhole && i < o.end; ++i)
      for (const Interval &x : intervals(inner))
        append(all, {i * innerSize + x.begin, i * innerSize + x.end});
  }
  return of(all);
}

std::optional<ListId> IndexLists::freeProduct(ListId outer, ListId inner, int64_t innerSize) {
  if (isFreeAltogether(outer) && isFreeAltogether(inner)) return free(length(outer) * length(inner));
  if (isFree(outer) || !isFree(inner)) return std::nullopt;
  if (isFreeAltogether(inner)) return freeWithin(outer, innerSize, length(inner));
  const Entry within = entries_[inner];
  if (innerSize % within.blockSize) return std::nullopt;
  std::optional<ListId> blocks = product(outer, of(within.intervals), innerSize / within.blockSize);
  return blocks ? std::optional(freeWithin(*blocks, within.blockSize, within.perBlock)) : std::nullopt;
}

namespace {

/// Cuts a list into rows of `size`, each of which must hold the same indices.
struct RowWalk {
  int64_t size;
  llvm::SmallVector<Interval, 4> outer, inner, row;
  int64_t at = -1; ///< the row that is being read
  bool hasInner = false, differs = false;

  void finishRow() {
    if (at < 0) return;
    takeRows({at, at + 1}, row);
    row.clear();
    at = -1;
  }
  void takeRows(Interval rows, llvm::ArrayRef<Interval> held) {
    if (!hasInner) inner.assign(held.begin(), held.end());
    differs |= hasInner && held != llvm::ArrayRef<Interval>(inner);
    hasInner = true;
    append(outer, rows);
  }
  void take(Interval next) {
    while (next.begin < next.end) {
      int64_t own = next.begin / size, from = next.begin - own * size;
      if (own != at) finishRow();
      if (from == 0 && at < 0 && next.end - next.begin >= size) {
        int64_t rows = (next.end - next.begin) / size;
        takeRows({own, own + rows}, Interval{0, size});
        next.begin += rows * size;
        continue;
      }
      at = own;
      int64_t end = std::min(next.end, (own + 1) * size);
      append(row, {from, end - own * size});
      next.begin = end;
      if (!row.empty() && row.back().end == size && next.begin < next.end) finishRow();
    }
  }
};

} // namespace

std::optional<std::pair<ListId, ListId>> IndexLists::split(ListId list, int64_t innerSize) {
  if (const Entry own = entries_[list]; own.blockSize > 0 && innerSize % own.blockSize == 0) {
    if (own.blockSize == innerSize) return std::pair(of(own.intervals), free(own.perBlock));
    auto blocks = split(of(own.intervals), innerSize / own.blockSize);
    if (blocks) blocks->second = freeWithin(blocks->second, own.blockSize, own.perBlock);
    return blocks;
  }
  if (isFree(list) || length(list) == 0 || innerSize <= 0) return std::nullopt;
  RowWalk walk{innerSize, {}, {}, {}};
  for (const Interval &own : intervals(list)) {
    walk.take(own);
    if (walk.differs) return std::nullopt;
  }
  walk.finishRow();
  if (walk.differs) return std::nullopt;
  return std::pair(of(walk.outer), of(walk.inner));
}

std::optional<Lists> IndexLists::refold(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<ListId> lists,
                                        llvm::ArrayRef<int64_t> to, llvm::ArrayRef<int64_t> local) {
  if (from == to) return Lists(lists.begin(), lists.end());
  ByteKey key;
  key.addList(from).addList(lists).addList(to).addList(local);
  auto [at, isNew] = refolds_.try_emplace(std::move(key));
  if (isNew) at->second = refoldAnew(from, lists, to, local); // which refolds nothing itself
  return at->second;
}

std::optional<Lists> IndexLists::refoldAnew(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<ListId> lists,
                                            llvm::ArrayRef<int64_t> to, llvm::ArrayRef<int64_t> local) {
  Lists out;
  for (size_t d = 0; d < to.size(); ++d) // if nothing is held, any indices are right
    out.push_back(local.empty() ? whole(0) : local[d] == to[d] ? whole(to[d]) : free(local[d]));
  if (elements(lists) == 0) return out;
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    size_t i0 = i, j0 = j;
    int64_t m = i < from.size() ? from[i++] : 1, n = j < to.size() ? to[j++] : 1;
    while (m != n && (i < from.size() || j < to.size())) {
      const bool takesFrom = (m < n && i < from.size()) || j == to.size();
      (takesFrom ? m : n) *= takesFrom ? from[i++] : to[j++];
    }
    if (m != n || !refoldGroup(from.slice(i0, i - i0), lists.slice(i0, i - i0), to.slice(j0, j - j0),
                               local.empty() ? local : local.slice(j0, j - j0),
                               llvm::MutableArrayRef<ListId>(out).slice(j0, j - j0)))
      return std::nullopt;
  }
  return out;
}

bool IndexLists::refoldGroup(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<ListId> lists, llvm::ArrayRef<int64_t> to,
                             llvm::ArrayRef<int64_t> local, llvm::MutableArrayRef<ListId> out) {
  if (from.size() == 1 && to.size() == 1) {
    out[0] = lists[0];
    return true;
  }
  if (llvm::all_of(lists, [&](ListId l) { return isFreeAltogether(l); }) && !local.empty()) {
    for (size_t d = 0; d < to.size(); ++d)
      out[d] = local[d] == to[d] ? whole(to[d]) : free(local[d]);
    return true;
  }
  std::optional<ListId> merged = from.empty() ? whole(1) : lists.back();
  int64_t size = from.empty() ? 1 : from.back();
  for (size_t d = from.size(); d-- > 1 && merged;) {
    merged = product(lists[d - 1], *merged, size);
    size *= from[d - 1];
  }
  for (size_t d = to.size(); d-- > 1 && merged;) {
    auto parts = split(*merged, to[d]);
    if (!parts) return false;
    out[d] = parts->second;
    merged = parts->first;
  }
  if (merged && !to.empty()) out[0] = *merged;
  return merged.has_value();
}

namespace {

void appendBoxes(IndexLists &lists, llvm::ArrayRef<int64_t> sizes, Interval run, Lists before,
                 std::vector<Lists> &boxes) {
  if (sizes.empty()) {
    boxes.push_back(before);
    return;
  }
  int64_t inner = 1;
  for (int64_t size : sizes.drop_front())
    inner *= size;
  auto add = [&](Interval rows, Interval within) {
    if (rows.begin >= rows.end || within.begin >= within.end) return;
    Lists next = before;
    next.push_back(lists.of({rows}));
    appendBoxes(lists, sizes.drop_front(), within, next, boxes);
  };
  const int64_t first = (run.begin + inner - 1) / inner, last = run.end / inner; // whole rows
  if (first > last) return add({last, first}, {run.begin - last * inner, run.end - last * inner});
  add({first - 1, first}, {run.begin - (first - 1) * inner, run.begin < first * inner ? inner : 0});
  add({first, last}, {0, inner});
  add({last, last + 1}, {0, run.end - last * inner});
}

} // namespace

std::vector<Lists> IndexLists::boxesOf(llvm::ArrayRef<int64_t> sizes, Interval run) {
  std::vector<Lists> boxes;
  appendBoxes(*this, sizes, run, {}, boxes);
  return boxes;
}

} // namespace autotp

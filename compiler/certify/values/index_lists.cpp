#include "compiler/certify/values/index_lists.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {
namespace {

/// More intervals than this are not worth following: the claim stays unproven.
constexpr int64_t kMostIntervals = int64_t(1) << 20;

void append(llvm::SmallVectorImpl<Interval> &list, Interval next) {
  if (next.begin >= next.end) return;
  if (!list.empty() && list.back().end == next.begin)
    list.back().end = next.end;
  else
    list.push_back(next);
}

} // namespace

ListId IndexLists::intern(Entry entry) {
  ByteKey key;
  key.addList(llvm::ArrayRef<Interval>(entry.intervals)).add(entry.length).add(entry.perBlock).add(entry.blockSize);
  auto [at, isNew] = known_.try_emplace(std::move(key), ListId(entries_.size()));
  if (isNew) entries_.push_back(std::move(entry));
  return at->second;
}

ListId IndexLists::whole(int64_t size) {
  auto [at, isNew] = wholes_.try_emplace(size, 0);
  if (isNew) at->second = of({Interval{0, size}});
  return at->second;
}

ListId IndexLists::free(int64_t length) {
  if (length == 0) return whole(0);
  Entry entry;
  entry.length = entry.perBlock = length;
  return intern(std::move(entry));
}

ListId IndexLists::freeWithin(ListId blocks, int64_t blockSize, int64_t perBlock) {
  Entry entry = entries_[blocks];
  entry.length *= perBlock;
  entry.perBlock = perBlock;
  entry.blockSize = blockSize;
  return intern(std::move(entry));
}

ListId IndexLists::unknown(int64_t length) {
  Entry entry;
  entry.length = length;
  entry.perBlock = 1;
  entry.blockSize = INT64_MAX;
  return intern(std::move(entry));
}

bool IndexLists::fits(ListId free, ListId list) {
  if (!isFree(free) || length(free) != length(list)) return false;
  if (isFreeAltogether(free)) return true;
  const Entry blocks = entries_[free];
  auto parts = split(list, blocks.blockSize);
  return parts && parts->first == of(blocks.intervals) && length(parts->second) == blocks.perBlock;
}

ListId IndexLists::of(llvm::ArrayRef<Interval> intervals) {
  Entry entry;
  for (const Interval &interval : intervals)
    append(entry.intervals, interval);
  for (const Interval &interval : entry.intervals)
    entry.length += interval.end - interval.begin;
  return intern(std::move(entry));
}

int64_t IndexLists::first(ListId list) const {
  return entries_[list].intervals.empty() ? 0 : entries_[list].intervals.front().begin;
}

Sizes IndexLists::lengths(llvm::ArrayRef<ListId> lists) const {
  Sizes sizes;
  for (ListId list : lists)
    sizes.push_back(length(list));
  return sizes;
}

int64_t IndexLists::elements(llvm::ArrayRef<ListId> lists) const {
  int64_t n = 1;
  for (ListId list : lists)
    n *= length(list);
  return n;
}

std::string IndexLists::text(ListId list) const {
  if (isFreeAltogether(list)) return llvm::formatv("any {0}", length(list)).str();
  if (length(list) == 0) return "none";
  std::string text;
  llvm::raw_string_ostream os(text);
  constexpr size_t kShown = 4;
  llvm::interleave(
      intervals(list).take_front(kShown), os, [&](const Interval &i) { os << i.begin << "-" << i.end; }, " ");
  if (intervals(list).size() > kShown) os << " ..";
  return os.str();
}

std::string IndexLists::text(llvm::ArrayRef<ListId> lists) const {
  std::string all;
  llvm::raw_string_ostream os(all);
  os << '[';
  llvm::interleave(
      lists, os, [&](ListId list) { os << text(list); }, ", ");
  os << ']';
  return os.str();
}

ListId IndexLists::select(ListId list, ListId positions) {
  if (isWhole(positions, length(list))) return list;
  if (isFree(list)) return isFreeAltogether(list) ? free(length(positions)) : unknown(length(positions));
  llvm::SmallVector<Interval, 4> selected;
  for (const Interval &wanted : intervals(positions)) {
    int64_t at = 0;
    for (const Interval &own : intervals(list)) {
      int64_t size = own.end - own.begin, begin = std::max(wanted.begin, at), end = std::min(wanted.end, at + size);
      if (begin < end) append(selected, {own.begin + begin - at, own.begin + end - at});
      at += size;
    }
  }
  return of(selected);
}

std::optional<ListId> IndexLists::positionsIn(ListId list, ListId window) {
  const bool fromZero = intervals(window).size() == 1 && intervals(window)[0].begin == 0;
  if (isFree(list)) return isFreeAltogether(list) || fromZero ? std::optional(list) : std::nullopt;
  if (list == window) return whole(length(list));
  if (fromZero) { // positions are indices
    for (const Interval &own : intervals(list))
      if (own.end > length(window)) return std::nullopt;
    return list;
  }
  llvm::SmallVector<Interval, 4> positions;
  for (Interval wanted : intervals(list))
    while (wanted.begin < wanted.end) {
      int64_t at = 0, from = wanted.begin;
      for (const Interval &own : intervals(window)) {
        if (own.begin <= wanted.begin && wanted.begin < own.end) {
          int64_t end = std::min(own.end, wanted.end);
          append(positions, {at + wanted.begin - own.begin, at + end - own.begin});
          wanted.begin = end;
          break;
        }
        at += own.end - own.begin;
      }
      if (wanted.begin == from) return std::nullopt;
    }
  return of(positions);
}

ListId IndexLists::shifted(ListId list, int64_t by) {
  if (by == 0 || isFreeAltogether(list)) return list;
  if (isFree(list)) return unknown(length(list));
  llvm::SmallVector<Interval, 4> moved;
  for (const Interval &own : intervals(list))
    moved.push_back({own.begin + by, own.end + by});
  return of(moved);
}

std::optional<ListId> IndexLists::joined(ListId a, ListId b) {
  if (length(a) == 0) return b;
  if (length(b) == 0) return a;
  if (isFreeAltogether(a) && isFreeAltogether(b)) return free(length(a) + length(b));
  if (isFree(a) || isFree(b)) return std::nullopt;
  llvm::SmallVector<Interval, 4> all(intervals(a).begin(), intervals(a).end());
  all.append(intervals(b).begin(), intervals(b).end());
  return of(all);
}

ListId IndexLists::within(ListId list, int64_t begin, int64_t end) {
  llvm::SmallVector<Interval, 4> kept;
  for (const Interval &own : intervals(list))
    append(kept, {std::max(own.begin, begin) - begin, std::min(own.end, end) - begin});
  return of(kept);
}

bool IndexLists::isAscending(ListId list) const {
  llvm::ArrayRef<Interval> all = intervals(list);
  for (size_t i = 1; i < all.size(); ++i)
    if (all[i].begin < all[i - 1].end) return false;
  return true;
}

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

ListId IndexLists::intersection(ListId a, ListId b) {
  if (a == b) return a;
  auto sorted = [&](ListId list) {
    llvm::SmallVector<Interval, 4> all(intervals(list).begin(), intervals(list).end());
    llvm::sort(all, [](const Interval &x, const Interval &y) { return x.begin < y.begin; });
    return all;
  };
  llvm::SmallVector<Interval, 4> x = sorted(a), y = sorted(b), both;
  for (size_t i = 0, j = 0; i < x.size() && j < y.size();) {
    append(both, {std::max(x[i].begin, y[j].begin), std::min(x[i].end, y[j].end)});
    if (x[i].end < y[j].end)
      ++i;
    else
      ++j;
  }
  return of(both);
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
  for (size_t d = 0; d < to.size(); ++d) // where nothing is held, any indices are right
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

static void appendBoxes(IndexLists &lists, llvm::ArrayRef<int64_t> sizes, Interval run, Lists before,
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

std::vector<Lists> IndexLists::boxesOf(llvm::ArrayRef<int64_t> sizes, Interval run) {
  std::vector<Lists> boxes;
  appendBoxes(*this, sizes, run, {}, boxes);
  return boxes;
}

} // namespace autotp

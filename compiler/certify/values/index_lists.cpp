#include "compiler/certify/values/index_lists.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {
void append(llvm::SmallVectorImpl<Interval> &list, Interval next) {
  if (next.begin >= next.end) return;
  if (!list.empty() && list.back().end == next.begin)
    list.back().end = next.end;
  else
    list.push_back(next);
}

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
      std::optional<Interval> next = positionsOf(wanted, window);
      if (!next) return std::nullopt;
      append(positions, *next);
      wanted.begin += next->end - next->begin;
    }
  return of(positions);
}

/// Returns where the first of these indices stand in a window, as many as one interval of it has; nothing if none is there.
std::optional<Interval> IndexLists::positionsOf(Interval wanted, ListId window) const {
  int64_t at = 0;
  for (const Interval &own : intervals(window)) {
    if (own.begin <= wanted.begin && wanted.begin < own.end)
      return Interval{at + wanted.begin - own.begin, at + std::min(own.end, wanted.end) - own.begin};
    at += own.end - own.begin;
  }
  return std::nullopt;
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

} // namespace autotp

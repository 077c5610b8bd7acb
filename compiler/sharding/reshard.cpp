#include "compiler/sharding/reshard.h"

#include "compiler/ops/collectives.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace autotp {
namespace {

bool overlap(const Cover &a, const Cover &b) {
  for (const Interval &x : a)
    for (const Interval &y : b)
      if (std::max(x.begin, y.begin) < std::min(x.end, y.end)) return true;
  return false;
}

bool overlap(const Covers &a, const Covers &b) {
  for (size_t d = 0; d < a.size(); ++d)
    if (!overlap(a[d], b[d])) return false;
  return true;
}

/// The local index of global index `at`, which must be held.
int64_t positionOf(const Cover &held, int64_t at) {
  int64_t before = 0;
  for (const Interval &i : held) {
    if (at < i.end) return before + (at - i.begin);
    before += i.end - i.begin;
  }
  return before;
}

/// Cuts `wanted` at the borders of the intervals of `held`, so that each piece is contiguous in both.
Cover commonPieces(const Cover &held, const Cover &wanted) {
  Cover pieces;
  for (const Interval &w : wanted)
    for (const Interval &h : held) {
      int64_t begin = std::max(w.begin, h.begin), end = std::min(w.end, h.end);
      if (begin < end) pieces.push_back({begin, end});
    }
  return pieces;
}

ValueId slice(Builder &b, ValueId value, int64_t axis, int64_t start, int64_t length) {
  if (start == 0 && length == b.graph.type(value).shape[axis]) return value;
  return b.slice(value, axis, start, length);
}

ValueId concat(Builder &b, llvm::ArrayRef<ValueId> parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : b.make("concat", parts, {{"axis", axis}});
}

Type typeOf(Builder &b, ValueId like, Shape shape) { return Type{b.graph.type(like).dtype, std::move(shape)}; }

/// Puts the local elements at their places in the whole shape, with zeros for elements that are not held.
ValueId padToWhole(Builder &b, ValueId value, const Covers &held, llvm::ArrayRef<int64_t> shape) {
  for (size_t d = 0; d < held.size(); ++d) {
    llvm::SmallVector<ValueId, 4> parts;
    int64_t at = 0, position = 0;
    auto zeros = [&](int64_t length) {
      if (length == 0) return;
      Shape gap = b.graph.type(value).shape;
      gap[d] = length;
      parts.push_back(b.full(typeOf(b, value, gap), 0));
    };
    for (const Interval &i : held[d]) {
      zeros(i.begin - at);
      parts.push_back(slice(b, value, int64_t(d), position, i.end - i.begin));
      position += i.end - i.begin;
      at = i.end;
    }
    zeros(shape[d] - at);
    value = concat(b, parts, int64_t(d));
  }
  return value;
}

} // namespace

Shape shapeOf(const Covers &covers) {
  Shape shape;
  for (const Cover &cover : covers)
    shape.push_back(lengthOf(cover));
  return shape;
}

Covers wholeCovers(llvm::ArrayRef<int64_t> shape) {
  Covers covers;
  for (int64_t size : shape)
    covers.push_back(Cover{Interval{0, size}});
  return covers;
}

std::vector<Covers> piecesOf(const Covers &covers, int64_t mostElements) {
  if (covers.empty()) return {covers};
  int64_t rowElements = 1;
  for (const Cover &cover : llvm::ArrayRef<Cover>(covers).drop_front())
    rowElements *= lengthOf(cover);
  const int64_t most = std::max<int64_t>(1, mostElements / std::max<int64_t>(1, rowElements));
  std::vector<Covers> pieces;
  for (const Interval &interval : covers[0])
    for (int64_t at = interval.begin; at < interval.end; at += most) {
      pieces.push_back(covers);
      pieces.back()[0] = {{at, std::min(interval.end, at + most)}};
    }
  return pieces;
}

ValueId takePart(Builder &b, ValueId value, const Covers &from, const Covers &to) {
  for (size_t d = 0; d < from.size(); ++d) {
    if (from[d] == to[d]) continue;
    llvm::SmallVector<ValueId, 4> parts;
    for (const Interval &piece : commonPieces(from[d], to[d]))
      parts.push_back(slice(b, value, int64_t(d), positionOf(from[d], piece.begin), piece.end - piece.begin));
    if (parts.empty()) parts.push_back(slice(b, value, int64_t(d), 0, 0));
    value = concat(b, parts, int64_t(d));
  }
  return value;
}

Tensor partOf(const Tensor &tensor, const Covers &covers) {
  if (shapeOf(covers) == tensor.type.shape) return tensor;
  Type type{tensor.type.dtype, shapeOf(covers)};
  std::vector<uint8_t> bytes(type.bytes());
  if (bytes.empty()) return ownedTensor(type, std::move(bytes));
  size_t size = sizeOf(type.dtype), rank = covers.size();
  Shape strides = stridesOf(tensor.type.shape);
  std::vector<std::vector<int64_t>> indices(rank); // for each dimension the global indices that are held
  for (size_t d = 0; d < rank; ++d)
    for (const Interval &i : covers[d])
      for (int64_t at = i.begin; at < i.end; ++at)
        indices[d].push_back(at);
  Shape position(rank, 0);
  for (size_t to = 0; to < bytes.size(); to += size) {
    int64_t from = 0;
    for (size_t d = 0; d < rank; ++d)
      from += indices[d][position[d]] * strides[d];
    std::memcpy(bytes.data() + to, tensor.bytes.data() + from * int64_t(size), size);
    for (size_t d = rank; d-- > 0;) {
      if (++position[d] < type.shape[d]) break;
      position[d] = 0;
    }
  }
  return ownedTensor(type, std::move(bytes));
}

namespace {

/// The parts of all ranks, which an all_gather put side by side. assemble() builds the value from them.
struct Parts {
  Builder &b;
  llvm::ArrayRef<Covers> held;
  llvm::SmallVector<ValueId, 8> values;

  static bool holds(const Cover &cover, Interval wanted) {
    return wanted.begin >= wanted.end ||
           llvm::any_of(cover, [&](const Interval &own) { return own.begin <= wanted.begin && wanted.end <= own.end; });
  }
  /// The first rank that holds all of `box`, or -1 if none does.
  int holderOf(llvm::ArrayRef<Interval> box) const {
    for (size_t c = 0; c < held.size(); ++c) {
      bool holdsAll = true;
      for (size_t d = 0; d < box.size(); ++d)
        holdsAll &= holds(held[c][d], box[d]);
      if (holdsAll) return int(c);
    }
    return -1;
  }

  /// Builds a box of the value. If no rank holds all of it, cuts it along dimension `d` and later ones into the largest
  /// parts that one rank holds.
  ValueId assemble(llvm::SmallVector<Interval, 6> box, size_t d) const {
    if (int holder = holderOf(box); holder >= 0) {
      Covers wanted;
      for (Interval interval : box)
        wanted.push_back(interval.begin < interval.end ? Cover{interval} : Cover());
      return takePart(b, values[size_t(holder)], held[size_t(holder)], wanted);
    }
    assert(d < box.size() && "an element that no tpRank holds");
    std::vector<int64_t> borders = bordersWithin(d, box[d]);
    llvm::SmallVector<ValueId, 4> pieces;
    for (size_t from = 0; from + 1 < borders.size();) {
      llvm::SmallVector<Interval, 6> piece = box;
      size_t to = borders.size() - 1;
      for (; to > from + 1; --to) {
        piece[d] = {borders[from], borders[to]};
        if (holderOf(piece) >= 0) break;
      }
      piece[d] = {borders[from], borders[to]};
      pieces.push_back(assemble(piece, d + 1));
      from = to;
    }
    return concat(b, pieces, int64_t(d));
  }

  std::vector<int64_t> bordersWithin(size_t d, Interval wanted) const {
    std::vector<int64_t> borders = {wanted.begin, wanted.end};
    for (const Covers &covers : held)
      for (const Interval &own : covers[d])
        for (int64_t border : {own.begin, own.end})
          if (wanted.begin < border && border < wanted.end) borders.push_back(border);
    llvm::sort(borders);
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    return borders;
  }
};

/// The number of elements that each tp rank holds, and the group of all tp ranks.
struct Shares {
  RankGroup group;
  llvm::SmallVector<int64_t, 6> counts;
  int64_t total = 0;
  explicit Shares(llvm::ArrayRef<Covers> held) : group(everyRank(plan::TP, int(held.size()))) {
    for (const Covers &covers : held) {
      counts.push_back(elementsOf(shapeOf(covers)));
      total += counts.back();
    }
  }
};

} // namespace

ValueId gatherWhole(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape) {
  const Shares shares(held);
  ValueId flat = b.reshape(value, {b.graph.type(value).elements()});
  ValueId all = allGather(b, flat, shares.group, shares.total, shares.counts);
  Parts parts{b, held, {}};
  int64_t offset = 0;
  for (size_t c = 0; c < held.size(); ++c) {
    parts.values.push_back(b.reshape(slice(b, all, 0, offset, shares.counts[c]), shapeOf(held[c])));
    offset += shares.counts[c];
  }
  llvm::SmallVector<Interval, 6> box;
  for (int64_t size : shape)
    box.push_back({0, size});
  return parts.assemble(box, 0);
}

ValueId reduceSum(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape, int tpRank) {
  RankGroup sharers{plan::TP, {}};
  bool areParts = false; // some parts overlap without being equal
  for (size_t c = 0; c < held.size(); ++c) {
    if (held[c] == held[tpRank]) sharers.ranks.push_back(int64_t(c));
    for (size_t other = 0; other < c; ++other)
      areParts |= overlap(held[c], held[other]) && held[c] != held[other];
  }
  if (!areParts) return allReduce(b, value, sharers);
  ValueId whole = padToWhole(b, value, held[tpRank], shape);
  return takePart(b, allReduce(b, whole, everyRank(plan::TP, int(held.size()))), wholeCovers(shape), held[tpRank]);
}

ValueId reduceScatter(Builder &b, ValueId value, const Covers &from, llvm::ArrayRef<Covers> parts, int tpRank) {
  const Shares shares(parts);
  llvm::SmallVector<ValueId, 8> flat;
  bool isInOrder = true; // whether the parts follow each other in memory, so that no copy is needed
  for (size_t d = 0; d < from.size(); ++d) {
    if (llvm::all_of(parts, [&](const Covers &part) { return part[d] == from[d]; })) continue;
    isInOrder &= elementsOf(llvm::ArrayRef<int64_t>(shapeOf(from)).take_front(d)) == 1;
    int64_t at = 0;
    for (const Covers &part : parts)
      for (const Interval &i : part[d]) {
        isInOrder &= i.begin == at;
        at = i.end;
      }
  }
  if (isInOrder)
    flat.push_back(b.reshape(value, {shares.total}));
  else
    for (size_t c = 0; c < parts.size(); ++c)
      flat.push_back(b.reshape(takePart(b, value, from, parts[c]), {shares.counts[c]}));
  ValueId own = reduceScatter(b, concat(b, flat, 0), shares.group, shares.counts[size_t(tpRank)], shares.counts);
  return b.reshape(own, shapeOf(parts[size_t(tpRank)]));
}

} // namespace autotp

#include "compiler/sharding/reshard.h"

#include <cstring>

namespace autotp {
namespace {

int64_t countOf(const Cover &cover) {
  int64_t n = 0;
  for (const Interval &i : cover)
    n += i.end - i.begin;
  return n;
}

bool isSame(const Cover &a, const Cover &b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].begin != b[i].begin || a[i].end != b[i].end) return false;
  return true;
}

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

/// Position, among the held elements of a dimension, of global index `at`, which must be held.
int64_t positionOf(const Cover &held, int64_t at) {
  int64_t before = 0;
  for (const Interval &i : held) {
    if (at < i.end) return before + (at - i.begin);
    before += i.end - i.begin;
  }
  return before;
}

/// `wanted` cut at the borders of `held`'s intervals, so that each piece is contiguous in both.
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
  return b.make("slice", {value}, {{"axis", axis}, {"length", length}, {"start", start}, {"step", int64_t(1)}});
}

ValueId concat(Builder &b, llvm::ArrayRef<ValueId> parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : b.make("concat", parts, {{"axis", axis}});
}

Type typeOf(Builder &b, ValueId like, Shape shape) { return Type{b.graph.type(like).dtype, std::move(shape)}; }

/// The value in the shape of the whole, with zeros where it is not held.
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
    shape.push_back(countOf(cover));
  return shape;
}

Covers wholeCovers(llvm::ArrayRef<int64_t> shape) {
  Covers covers;
  for (int64_t size : shape)
    covers.push_back(Cover{Interval{0, size}});
  return covers;
}

bool isSame(const Covers &a, const Covers &b) {
  for (size_t d = 0; d < a.size(); ++d)
    if (!isSame(a[d], b[d])) return false;
  return true;
}

llvm::SmallVector<Interval, 2> heldFirst(const Covers &own, llvm::ArrayRef<Covers> earlier) {
  const Shape shape = shapeOf(own);
  const int64_t elements = Type{DType::F32, shape}.elements();
  auto sharesElements = [&](const Covers &other) {
    for (size_t d = 0; d < own.size(); ++d)
      if (!overlap(own[d], other[d])) return false;
    return true;
  };
  llvm::SmallVector<const Covers *, 4> sharing;
  for (const Covers &other : earlier)
    if (isSame(own, other))
      return {};
    else if (sharesElements(other))
      sharing.push_back(&other);
  if (sharing.empty()) return {{0, elements}};
  // [sharing coordinate][dimension][local index]: whether it holds that index.
  std::vector<std::vector<std::vector<bool>>> holds;
  for (const Covers *other : sharing) {
    auto &dimensions = holds.emplace_back(own.size());
    for (size_t d = 0; d < own.size(); ++d)
      for (const Interval &interval : own[d])
        for (int64_t at = interval.begin; at < interval.end; ++at)
          dimensions[d].push_back(contains((*other)[d], at));
  }
  llvm::SmallVector<Interval, 2> first;
  llvm::SmallVector<int64_t, 6> index(own.size(), 0);
  for (int64_t e = 0; e < elements; ++e) {
    bool isHeld = llvm::any_of(holds, [&](const std::vector<std::vector<bool>> &dimensions) {
      for (size_t d = 0; d < index.size(); ++d)
        if (!dimensions[d][size_t(index[d])]) return false;
      return true;
    });
    if (!isHeld && !first.empty() && first.back().end == e)
      ++first.back().end;
    else if (!isHeld)
      first.push_back({e, e + 1});
    for (size_t d = index.size(); d-- > 0 && ++index[d] == shape[d];)
      index[d] = 0;
  }
  return first;
}

ValueId takePart(Builder &b, ValueId value, const Covers &from, const Covers &to) {
  for (size_t d = 0; d < from.size(); ++d) {
    if (isSame(from[d], to[d])) continue;
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
  std::vector<std::vector<int64_t>> indices(rank); // held global indices of each dimension
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

ValueId gatherWhole(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t, 6> counts, coordinates;
  int64_t total = 0;
  for (const Covers &covers : held) {
    coordinates.push_back(int64_t(counts.size()));
    counts.push_back(elementsOf(shapeOf(covers)));
    total += counts.back();
  }
  ValueId flat = b.reshape(value, {b.graph.type(value).elements()});
  ValueId all = b.makeTyped("all_gather", {flat}, typeOf(b, value, {total}),
                            {{"axis", std::string("tp")}, {"counts", counts}, {"group", coordinates}});
  // Sum of the parts, each padded to the whole by its first holder, would do; parts of one sharded dimension are
  // joined.
  int64_t dim = -1;
  for (size_t d = 0; d < shape.size() && dim < 0; ++d)
    for (const Covers &covers : held)
      if (countOf(covers[d]) != shape[d]) dim = int64_t(d);
  struct Piece {
    Interval interval;
    size_t holder;
  };
  std::vector<Piece> pieces;
  for (size_t c = 0; c < held.size(); ++c)
    for (const Interval &i : held[c][dim < 0 ? 0 : dim])
      pieces.push_back({i, c});
  llvm::stable_sort(pieces, [](const Piece &x, const Piece &y) { return x.interval.begin < y.interval.begin; });
  llvm::SmallVector<ValueId, 4> parts, joined;
  int64_t offset = 0, at = 0;
  for (size_t c = 0; c < held.size(); ++c) {
    parts.push_back(b.reshape(slice(b, all, 0, offset, counts[c]), shapeOf(held[c])));
    offset += counts[c];
  }
  if (dim < 0) return parts[0];
  for (const Piece &piece : pieces) {
    int64_t begin = std::max(piece.interval.begin, at);
    if (begin >= piece.interval.end) continue;
    joined.push_back(
        slice(b, parts[piece.holder], dim, positionOf(held[piece.holder][dim], begin), piece.interval.end - begin));
    at = piece.interval.end;
  }
  return concat(b, joined, dim);
}

ValueId reduceSum(Builder &b, ValueId value, llvm::ArrayRef<Covers> held, llvm::ArrayRef<int64_t> shape,
                  int coordinate) {
  llvm::SmallVector<int64_t, 6> sharers, all;
  bool areParts = false; // overlapping, but not equal
  for (size_t c = 0; c < held.size(); ++c) {
    all.push_back(int64_t(c));
    if (isSame(held[c], held[coordinate])) sharers.push_back(int64_t(c));
    for (size_t other = 0; other < c; ++other)
      areParts |= overlap(held[c], held[other]) && !isSame(held[c], held[other]);
  }
  auto reduce = [&](ValueId x, const llvm::SmallVector<int64_t, 6> &group) {
    return b.make("all_reduce", {x}, {{"axis", std::string("tp")}, {"group", group}, {"reduce", std::string("sum")}});
  };
  if (areParts)
    return takePart(b, reduce(padToWhole(b, value, held[coordinate], shape), all), wholeCovers(shape),
                    held[coordinate]);
  return sharers.size() > 1 ? reduce(value, sharers) : value;
}

} // namespace autotp

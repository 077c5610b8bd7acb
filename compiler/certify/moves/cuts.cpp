#include "compiler/certify/moves/cuts.h"

#include "compiler/certify/moves/views.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// Leaves of summands what they have of the elements `kept` among `held`; false if a free list hides that.
bool narrow(IndexLists &lists, Summands &summands, llvm::ArrayRef<ListId> held, llvm::ArrayRef<ListId> kept) {
  for (auto [d, list] : indexed(summands.elements)) {
    if (list != held[d] && kept[d] != held[d] && (lists.isFree(list) || lists.isFree(held[d]))) return false;
    if (list == held[d])
      list = kept[d];
    else if (kept[d] != held[d])
      list = lists.intersection(list, kept[d]);
  }
  return true;
}

/// Returns the elements at these positions of each dimension.
const Content *boxOf(Symbols &symbols, const Content &content, llvm::ArrayRef<ListId> positions) {
  const Elements &held = *content.as<Elements>();
  Elements box = held;
  for (auto [d, list] : indexed(box.lists))
    list = symbols.lists.select(list, positions[d]);
  for (Summands &summands : box.summands)
    if (!narrow(symbols.lists, summands, held.lists, box.lists)) return nullptr;
  const uint64_t bytes = symbols.bytesOf(box.lists, content.dtype);
  return symbols.store.add({content.dtype, bytes, std::move(box)});
}

/// Returns elements [begin, end) of a tensor with these lengths, as positions in each dimension, if they are a box.
std::optional<Lists> positionsOf(IndexLists &lists, llvm::ArrayRef<int64_t> lengths, int64_t begin, int64_t end) {
  Lists positions;
  int64_t inner = elementsOf(lengths);
  for (int64_t length : lengths) {
    if (length == 0) return std::nullopt;
    inner /= length;
    if (end - begin == inner * length && begin == 0) {
      positions.push_back(lists.whole(length));
      end = inner;
    } else if (begin % inner == 0 && end % inner == 0) {
      positions.push_back(lists.of({Interval{begin / inner, end / inner}}));
      begin = 0;
      end = inner;
    } else if (begin / inner == (end - 1) / inner) {
      positions.push_back(lists.of({Interval{begin / inner, begin / inner + 1}}));
      end -= begin / inner * inner;
      begin %= inner;
    } else {
      return std::nullopt;
    }
  }
  return positions;
}

/// Returns these positions of its operand as a part of a slice of the graph.
Elements inSlice(IndexLists &lists, const GlobalNode &node, llvm::ArrayRef<ListId> held,
                 llvm::ArrayRef<ListId> positions) {
  const auto axis = size_t(node.attributes->integer("axis"));
  const int64_t start = node.attributes->integer("start"), length = node.resultTypes[0].shape[axis];
  Elements part{node.results[0], {}};
  for (auto [d, list] : indexed(held)) {
    const ListId own = lists.select(list, positions[d]);
    part.lists.push_back(d == axis ? lists.within(own, start, start + length) : own);
  }
  return part;
}

/// What is no box of the value itself may be one of a slice that the graph takes of it under another shape.
const Content *rangeOfSlice(Symbols &symbols, const Content &content, int64_t begin, int64_t end) {
  const Elements &whole = *content.as<Elements>();
  if (whole.isPartial() || !whole.isOfMicroStep()) return nullptr;
  for (unsigned id : symbols.values.readers(KernelId::Slice, 0, whole.root)) {
    const GlobalNode &node = symbols.values.node(id);
    if (node.attributes->integer("step", 1) != 1) continue;
    const View &view = symbols.values.view(node.operands[0].view);
    std::optional<Lists> held = inView(symbols.lists, view, whole.lists);
    auto positions = held ? positionsOf(symbols.lists, symbols.lists.lengths(*held), begin, end) : std::nullopt;
    if (!positions) continue;
    Elements part = inSlice(symbols.lists, node, *held, *positions);
    const uint64_t bytes = symbols.bytesOf(part.lists, content.dtype);
    if (bytes == uint64_t(end - begin) * sizeOf(content.dtype))
      return symbols.store.add({content.dtype, bytes, std::move(part)});
  }
  return nullptr;
}

const Content *rangeOfConstant(Symbols &symbols, const Content &content, int64_t begin, int64_t end) {
  const uint64_t size = sizeOf(content.dtype), bytes = uint64_t(end - begin) * size;
  Constant part = *content.as<Constant>();
  if (!part.isFill()) part.data = part.data.slice(size_t(begin) * size, bytes);
  return symbols.store.add({content.dtype, bytes, std::move(part)});
}

/// Returns the positions that a slice takes, by dimension of its operand.
Lists positionsOf(IndexLists &lists, llvm::ArrayRef<int64_t> shape, const LocalSlice &slice) {
  llvm::SmallVector<Interval, 4> taken;
  for (int64_t i = 0; i < slice.taken.end - slice.taken.begin && slice.step > 1; ++i)
    taken.push_back({slice.taken.begin + i * slice.step, slice.taken.begin + i * slice.step + 1});
  if (slice.step == 1) taken.push_back(slice.taken);
  Lists positions;
  for (size_t d = 0; d < shape.size(); ++d)
    positions.push_back(d == slice.axis ? lists.of(taken) : lists.whole(shape[d]));
  return positions;
}

/// Appends boxes of the true elements of a mask; each box has one list for each dimension.
void maskBoxes(IndexLists &lists, const Mask &mask, const Lists &before, std::vector<Lists> &boxes) {
  if (mask.shape.empty()) {
    if (mask.data[0]) boxes.push_back(before);
    return;
  }
  const size_t inner = mask.data.size() / size_t(mask.shape[0]);
  std::vector<std::pair<llvm::ArrayRef<char>, llvm::SmallVector<Interval, 4>>> groups; // equal rows
  for (int64_t i = 0; i < mask.shape[0]; ++i) {
    llvm::ArrayRef<char> row = mask.data.slice(size_t(i) * inner, inner);
    auto same = llvm::find_if(groups, [&](const auto &group) { return group.first == row; });
    if (same == groups.end()) same = groups.insert(same, {row, {}});
    same->second.push_back({i, i + 1});
  }
  for (const auto &[row, indices] : groups) {
    Lists next = before;
    next.push_back(lists.of(indices));
    maskBoxes(lists, {row, mask.shape.drop_front()}, next, boxes);
  }
}

/// Returns the elements of `held` that lie in a box of the local shape; nothing if a free list hides which they are.
std::optional<Lists> keptBy(IndexLists &lists, llvm::ArrayRef<ListId> held, llvm::ArrayRef<int64_t> shape,
                            llvm::ArrayRef<ListId> box) {
  std::optional<Lists> positions = lists.refold(shape, box, lists.lengths(held), {});
  if (!positions) return std::nullopt;
  Lists kept;
  for (auto [d, list] : indexed(held)) {
    kept.push_back(lists.select(list, (*positions)[d]));
    if (kept[d] != list && lists.isFree(list)) return std::nullopt;
  }
  return kept;
}

} // namespace

const Content *range(Symbols &symbols, const Content &content, int64_t begin, int64_t end) {
  if (begin == 0 && uint64_t(end) * sizeOf(content.dtype) == content.bytes) return &content;
  if (content.as<Constant>()) return rangeOfConstant(symbols, content, begin, end);
  const auto *elements = content.as<Elements>();
  if (!elements) return nullptr;
  if (auto positions = positionsOf(symbols.lists, symbols.lists.lengths(elements->lists), begin, end))
    return boxOf(symbols, content, *positions);
  return rangeOfSlice(symbols, content, begin, end);
}

const Content *firstBox(Symbols &symbols, const Content &content, Interval run) {
  if (const Content *all = range(symbols, content, run.begin, run.end)) return all;
  const auto *elements = content.as<Elements>();
  if (!elements) return nullptr;
  const std::vector<Lists> boxes = symbols.lists.boxesOf(symbols.lists.lengths(elements->lists), run);
  return boxes.empty() ? nullptr : boxOf(symbols, content, boxes[0]);
}

const Content *boxAt(Symbols &symbols, const Piece &piece) {
  const uint64_t size = sizeOf(piece.content->dtype);
  if (piece.bytes == piece.content->bytes) return piece.content;
  if (piece.offset % size || piece.bytes % size) return nullptr;
  const Interval run{int64_t(piece.offset / size), int64_t((piece.offset + piece.bytes) / size)};
  return firstBox(symbols, *piece.content, run);
}

const Content *slice(Symbols &symbols, const Content &content, llvm::ArrayRef<int64_t> shape, const LocalSlice &slice) {
  if (const auto *constant = content.as<Constant>(); constant && constant->isFill()) {
    int64_t bytes = int64_t(sizeOf(content.dtype));
    for (size_t d = 0; d < shape.size(); ++d)
      bytes *= d == slice.axis ? slice.taken.end - slice.taken.begin : shape[d];
    return symbols.store.add({content.dtype, uint64_t(bytes), *constant});
  }
  const auto *elements = content.as<Elements>();
  if (!elements) return nullptr;
  std::optional<Lists> ofRoot =
      symbols.lists.refold(shape, positionsOf(symbols.lists, shape, slice), symbols.lists.lengths(elements->lists), {});
  return ofRoot ? boxOf(symbols, content, *ofRoot) : nullptr;
}

const Content *masked(Symbols &symbols, const Content &content, llvm::ArrayRef<int64_t> shape, const Mask &mask) {
  const auto *held = content.as<Elements>();
  if (!held || held->partial == Partial::Max || mask.shape.size() != shape.size()) return nullptr;
  std::vector<Lists> boxes;
  maskBoxes(symbols.lists, mask, {}, boxes);
  Elements some = *held;
  some.partial = Partial::Sum;
  some.summands.clear();
  for (Lists &box : boxes) {
    for (auto [d, list] : indexed(box))
      if (mask.shape[d] == 1) list = symbols.lists.whole(shape[d]);
    std::optional<Lists> kept = keptBy(symbols.lists, held->lists, shape, box);
    if (!kept) return nullptr;
    for (Summands &summands : summandsOf(*held)) {
      if (!narrow(symbols.lists, summands, held->lists, *kept)) return nullptr;
      some.summands.push_back(std::move(summands));
    }
  }
  return symbols.store.add({content.dtype, content.bytes, std::move(some)});
}

} // namespace autotp

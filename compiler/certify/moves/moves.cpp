#include "compiler/certify/moves/moves.h"

#include "runtime/base/indexed.h"

namespace autotp {

std::optional<Lists> Moves::inView(const View &view, llvm::ArrayRef<ListId> lists, llvm::ArrayRef<int64_t> local) {
  Lists positions;
  for (auto [d, list] : indexed(lists)) {
    std::optional<ListId> at = lists_.positionsIn(list, view.window[d]);
    if (!at) return std::nullopt;
    positions.push_back(*at);
  }
  std::optional<Lists> folded = lists_.refold(view.sizes, positions, view.shape, local);
  if (folded)
    for (auto [d, list] : indexed(*folded))
      if (lists_.isFree(list) && lists_.length(list) == view.shape[d]) list = lists_.whole(view.shape[d]);
  return folded;
}

std::optional<Lists> Moves::inRoot(const View &view, llvm::ArrayRef<ListId> lists) {
  std::optional<Lists> positions = lists_.refold(view.shape, lists, view.sizes, {});
  if (!positions) return std::nullopt;
  Lists own;
  for (auto [d, list] : indexed(*positions))
    own.push_back(lists_.select(view.window[d], list));
  return own;
}

std::optional<Lists> Moves::spansInView(const View &view, llvm::ArrayRef<ListId> spans) {
  Lists all;
  if (llvm::all_of(spans, [](ListId span) { return span == kWholeSpan; })) {
    all.assign(view.shape.size(), kWholeSpan);
    return all;
  }
  for (auto [d, span] : indexed(spans))
    all.push_back(span == kWholeSpan ? view.window[d] : lists_.intersection(span, view.window[d]));
  std::optional<Lists> folded = inView(view, all, {});
  if (folded)
    for (auto [d, list] : indexed(*folded))
      if (lists_.isWhole(list, view.shape[d])) list = kWholeSpan;
  return folded;
}

std::vector<Part> Moves::partsOf(const Content &content) const {
  if (content.pending != Pending::None) return content.parts;
  return {Part{kWholePath, content.lists, {}, Lists(content.lists.size(), kWholeSpan), {}}};
}

/// What a part has of the elements `kept` among `held`; false where a free list hides that.
bool Moves::narrow(Part &part, llvm::ArrayRef<ListId> held, llvm::ArrayRef<ListId> kept) {
  for (auto [d, list] : indexed(part.elements)) {
    if (list != held[d] && kept[d] != held[d] && (lists_.isFree(list) || lists_.isFree(held[d]))) return false;
    if (list == held[d])
      list = kept[d];
    else if (kept[d] != held[d])
      list = lists_.intersection(list, kept[d]);
  }
  return true;
}

const Content *Moves::boxOf(const Content &content, llvm::ArrayRef<ListId> positions) {
  Content box = content;
  for (auto [d, list] : indexed(box.lists))
    list = lists_.select(list, positions[d]);
  box.bytes = uint64_t(lists_.elements(box.lists)) * sizeOf(box.dtype);
  for (Part &part : box.parts)
    if (!narrow(part, content.lists, box.lists)) return nullptr;
  return store_.add(std::move(box));
}

/// Elements [begin, end) of a tensor with these lengths, as positions in each dimension; nothing where they are no box.
static std::optional<Lists> positionsOf(IndexLists &lists, llvm::ArrayRef<int64_t> lengths, int64_t begin,
                                        int64_t end) {
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

const Content *Moves::range(const Content &content, int64_t begin, int64_t end) {
  const uint64_t size = sizeOf(content.dtype);
  if (begin == 0 && uint64_t(end) * size == content.bytes) return &content;
  if (content.kind == Content::Kind::Constant) {
    Content part = content;
    part.bytes = uint64_t(end - begin) * size;
    if (!part.data.empty()) part.data = part.data.slice(size_t(begin) * size, part.bytes);
    return store_.add(std::move(part));
  }
  if (content.kind != Content::Kind::Value) return nullptr;
  if (auto positions = positionsOf(lists_, lists_.lengths(content.lists), begin, end))
    return boxOf(content, *positions);
  return rangeOfSlice(content, begin, end);
}

const Content *Moves::firstBox(const Content &content, Interval run) {
  if (const Content *all = range(content, run.begin, run.end)) return all;
  if (content.kind != Content::Kind::Value) return nullptr;
  const std::vector<Lists> boxes = lists_.boxesOf(lists_.lengths(content.lists), run);
  return boxes.empty() ? nullptr : boxOf(content, boxes[0]);
}

/// What is no box of the value itself may be one of a slice that the graph takes of it under another shape.
const Content *Moves::rangeOfSlice(const Content &content, int64_t begin, int64_t end) {
  if (content.pending != Pending::None || !content.isMicroValue()) return nullptr;
  for (unsigned id : values_.readers(KernelId::Slice, 0, content.root)) {
    const GlobalNode &node = values_.node(id);
    if (node.attributes->integer("step", 1) != 1) continue;
    std::optional<Lists> held = inView(values_.view(node.operands[0].view), content.lists, {});
    auto positions = held ? positionsOf(lists_, lists_.lengths(*held), begin, end) : std::nullopt;
    if (!positions) continue;
    Content part;
    part.dtype = content.dtype;
    part.root = node.results[0];
    const auto axis = size_t(node.attributes->integer("axis"));
    const int64_t start = node.attributes->integer("start"), length = node.resultTypes[0].shape[axis];
    for (auto [d, list] : indexed(*held)) {
      const ListId own = lists_.select(list, (*positions)[d]);
      part.lists.push_back(d == axis ? lists_.within(own, start, start + length) : own);
    }
    part.bytes = uint64_t(lists_.elements(part.lists)) * sizeOf(part.dtype);
    if (part.bytes == uint64_t(end - begin) * sizeOf(part.dtype)) return store_.add(std::move(part));
  }
  return nullptr;
}

const Content *Moves::slice(const Content &content, llvm::ArrayRef<int64_t> shape, size_t axis, Interval taken,
                            int64_t step) {
  if (content.kind == Content::Kind::Constant && content.data.empty()) {
    Content part = content;
    part.bytes = 0;
    int64_t elements = sizeOf(content.dtype);
    for (size_t d = 0; d < shape.size(); ++d)
      elements *= d == axis ? (taken.end - taken.begin) : shape[d];
    part.bytes = uint64_t(elements);
    return store_.add(std::move(part));
  }
  if (content.kind != Content::Kind::Value) return nullptr;
  llvm::SmallVector<Interval, 4> steps;
  for (int64_t i = 0; i < taken.end - taken.begin && step > 1; ++i)
    steps.push_back({taken.begin + i * step, taken.begin + i * step + 1});
  if (step == 1) steps.push_back(taken);
  Lists positions;
  for (size_t d = 0; d < shape.size(); ++d)
    positions.push_back(d == axis ? lists_.of(steps) : lists_.whole(shape[d]));
  std::optional<Lists> ofRoot = lists_.refold(shape, positions, lists_.lengths(content.lists), {});
  return ofRoot ? boxOf(content, *ofRoot) : nullptr;
}

namespace {
/// Boxes of the true elements of a mask of this shape; each box has one list a dimension.
void maskBoxes(IndexLists &lists, llvm::ArrayRef<char> mask, llvm::ArrayRef<int64_t> shape, Lists before,
               std::vector<Lists> &boxes) {
  if (shape.empty()) {
    if (mask[0]) boxes.push_back(before);
    return;
  }
  const size_t inner = mask.size() / size_t(shape[0]);
  std::vector<std::pair<llvm::ArrayRef<char>, llvm::SmallVector<Interval, 4>>> groups; // equal rows
  for (int64_t i = 0; i < shape[0]; ++i) {
    llvm::ArrayRef<char> row = mask.slice(size_t(i) * inner, inner);
    auto same = llvm::find_if(groups, [&](const auto &group) { return group.first == row; });
    if (same == groups.end()) same = groups.insert(same, {row, {}});
    same->second.push_back({i, i + 1});
  }
  for (const auto &[row, indices] : groups) {
    Lists next = before;
    next.push_back(lists.of(indices));
    maskBoxes(lists, row, shape.drop_front(), next, boxes);
  }
}
} // namespace

const Content *Moves::masked(const Content &content, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<char> mask,
                             llvm::ArrayRef<int64_t> maskShape) {
  if (content.kind != Content::Kind::Value || content.pending == Pending::Max || maskShape.size() != shape.size())
    return nullptr;
  std::vector<Lists> boxes;
  maskBoxes(lists_, mask, maskShape, {}, boxes);
  Content some = content;
  some.pending = Pending::Sum;
  some.parts.clear();
  for (Lists &box : boxes) {
    for (auto [d, list] : indexed(box))
      if (maskShape[d] == 1) list = lists_.whole(shape[d]);
    std::optional<Lists> positions = lists_.refold(shape, box, lists_.lengths(content.lists), {});
    if (!positions) return nullptr;
    Lists kept;
    for (auto [d, list] : indexed(content.lists)) {
      kept.push_back(lists_.select(list, (*positions)[d]));
      if (kept[d] != list && lists_.isFree(list)) return nullptr;
    }
    for (Part &part : partsOf(content)) {
      if (!narrow(part, content.lists, kept)) return nullptr;
      some.parts.push_back(std::move(part));
    }
  }
  return store_.add(std::move(some));
}

} // namespace autotp

// compiler/certify/moves/joins.cpp: contents side by side, as one value.
#include "compiler/certify/moves/moves.h"
#include "runtime/base/indexed.h"

#include <cstring>

namespace autotp {

const Content *Moves::concat(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<Sizes> shapes, size_t axis) {
  llvm::SmallVector<const Content *, 4> held;
  int64_t outer = 1;
  for (auto [k, content] : indexed(contents)) {
    if (!content) continue;
    held.push_back(content);
    outer = elementsOf(llvm::ArrayRef<int64_t>(shapes[k]).take_front(axis));
  }
  if (const Content *joined = joinOuter(held, outer)) return joined;
  if (const Content *joined = joinNestedConcats(held, outer)) return joined;
  return held.size() == contents.size() ? joinInViews(held, shapes, axis) : nullptr;
}

/// Along a dimension of a view that is only a factor of one of the root.
const Content *Moves::joinInViews(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<Sizes> shapes, size_t axis) {
  const Content &model = *contents[0];
  if (model.kind != Content::Kind::Value) return nullptr;
  for (ViewId id : values_.viewsOf(model.root)) {
    const View &view = values_.view(id);
    std::optional<Lists> all;
    bool fits = view.shape.size() > axis;
    for (size_t k = 0; fits && k < contents.size(); ++k) {
      std::optional<Lists> own = contents[k]->kind == Content::Kind::Value && contents[k]->root == model.root
                                     ? inView(view, contents[k]->lists, shapes[k])
                                     : std::nullopt;
      fits = own && lists_.lengths(*own) == shapes[k];
      for (size_t d = 0; fits && all && d < own->size(); ++d)
        if (d != axis) fits = (*own)[d] == (*all)[d];
      std::optional<ListId> next = fits && all ? lists_.joined((*all)[axis], (*own)[axis]) : std::nullopt;
      if (fits && all) fits = next.has_value();
      if (fits && !all) all = own;
      if (fits && next) (*all)[axis] = *next;
    }
    if (std::optional<Lists> joined = fits ? inRoot(view, *all) : std::nullopt) return merged(contents, *joined);
  }
  return nullptr;
}

/// Contents that together are these elements of one root, each once.
const Content *Moves::merged(llvm::ArrayRef<const Content *> contents, llvm::ArrayRef<ListId> joined) {
  Content all = *contents[0];
  all.lists.assign(joined.begin(), joined.end());
  all.parts.clear();
  all.bytes = 0;
  bool isPending = false;
  for (const Content *content : contents) {
    if (content->pending == Pending::Max || content->isAccumulated != all.isAccumulated ||
        content->isSummedOverDp != all.isSummedOverDp || content->isUpdated != all.isUpdated)
      return nullptr;
    isPending |= content->pending != Pending::None;
    all.bytes += content->bytes;
    for (Part &part : partsOf(*content))
      all.parts.push_back(std::move(part));
  }
  all.pending = isPending ? Pending::Sum : Pending::None;
  if (!isPending) all.parts.clear();
  return store_.add(std::move(all));
}

const Content *Moves::join(llvm::ArrayRef<const Content *> contents) {
  if (const Content *joined = joinOuter(contents, 1)) return joined;
  if (const Content *joined = joinNested(contents)) return joined;
  return joinNestedConcats(contents, 1);
}

/// Segments of concats of the graph that are segments of others: neighbours become one, until all are. The longest run
/// that is one value is taken: the parts of an inner concat are all there.
const Content *Moves::joinNestedConcats(llvm::ArrayRef<const Content *> contents, int64_t outer) {
  constexpr size_t kMostContents = 16;
  llvm::SmallVector<const Content *, 8> left(contents.begin(), contents.end());
  auto joinRun = [&] {
    for (size_t length = left.size(); length-- > 2;)
      for (size_t begin = 0; begin + length <= left.size(); ++begin) {
        const Content *inner = joinOuter(llvm::makeArrayRef(left).slice(begin, length), outer);
        if (!inner || inner->isZero()) continue;
        left[begin] = inner;
        left.erase(left.begin() + begin + 1, left.begin() + begin + length);
        return true;
      }
    return false;
  };
  while (left.size() <= kMostContents && joinRun())
    if (const Content *joined = joinOuter(left, outer)) return joined;
  return nullptr;
}

/// Runs along an inner dimension first, then these along outer ones.
const Content *Moves::joinNested(llvm::ArrayRef<const Content *> contents) {
  if (!llvm::all_of(contents, [&](const Content *content) {
        return content->kind == Content::Kind::Value && content->root == contents[0]->root;
      }))
    return nullptr;
  llvm::SmallVector<const Content *, 8> left(contents.begin(), contents.end());
  for (size_t d = contents[0]->lists.size(); d-- > 1 && left.size() > 1;) {
    llvm::SmallVector<const Content *, 8> joined;
    for (size_t begin = 0, end = 0; begin < left.size(); begin = end) {
      auto continues = [&](const Content &next) {
        for (size_t other = 0; other < next.lists.size(); ++other)
          if (other != d && next.lists[other] != left[begin]->lists[other]) return false;
        return lists_.elements(llvm::ArrayRef<ListId>(next.lists).take_front(d)) == 1;
      };
      for (end = begin + 1; end < left.size() && continues(*left[end]);)
        ++end;
      const Content *run =
          end - begin == 1 ? left[begin] : joinSameRoot(llvm::makeArrayRef(left).slice(begin, end - begin), 1);
      if (!run) return nullptr;
      joined.push_back(run);
    }
    left = std::move(joined);
  }
  return left.size() == 1 ? left[0] : joinSameRoot(left, 1);
}

/// Constants may be operands of a concat of the graph; if they are not, zeros are nobody's part of a sum.
const Content *Moves::joinOuter(llvm::ArrayRef<const Content *> contents, int64_t outer) {
  const bool hasConstant =
      llvm::any_of(contents, [](const Content *content) { return content->kind == Content::Kind::Constant; });
  const Content *joined = hasConstant ? joinAsConcat(contents, outer) : joinSameRoot(contents, outer);
  if (joined) return joined;
  return hasConstant ? joinSameRoot(contents, outer) : joinAsConcat(contents, outer);
}

const Content *Moves::joinSameRoot(llvm::ArrayRef<const Content *> contents, int64_t outer) {
  const Content *model = nullptr;
  bool areZero = true;
  uint64_t bytes = 0;
  for (const Content *content : contents) {
    areZero &= content->isZero();
    bytes += content->bytes;
    if (content->kind == Content::Kind::Constant && !content->isZero()) return nullptr;
    if (content->isZero()) continue;
    if (content->kind != Content::Kind::Value || content->pending == Pending::Max) return nullptr;
    if (model && (model->root != content->root || model->isAccumulated != content->isAccumulated ||
                  model->isSummedOverDp != content->isSummedOverDp || model->isUpdated != content->isUpdated))
      return nullptr;
    if (!model) model = content;
  }
  if (contents.empty()) return nullptr;
  if (areZero) {
    Content zeros = *contents[0];
    zeros.bytes = bytes;
    zeros.data = {};
    return store_.add(std::move(zeros));
  }
  int64_t before = 1;
  for (size_t d = 0; d < model->lists.size() && before <= outer; ++d) {
    if (before == outer)
      if (const Content *joined = joinAlong(contents, *model, d)) return joined;
    before *= lists_.length(model->lists[d]);
  }
  return nullptr;
}

/// Along one dimension of the root: all other lists are the same.
const Content *Moves::joinAlong(llvm::ArrayRef<const Content *> contents, const Content &model, size_t dim) {
  const uint64_t others = model.bytes / uint64_t(std::max<int64_t>(1, lists_.length(model.lists[dim])));
  const int64_t size = values_.root(model.root).type.shape[dim];
  int64_t at = 0;
  bool hasZeros = false, isPlaced = true; // every element at the position that is its index
  std::optional<ListId> joined = lists_.whole(0);
  Content all = model;
  all.parts.clear();
  bool isPending = false;
  for (const Content *content : contents) {
    if (content->isZero()) {
      if (others == 0 || content->bytes % others) return nullptr;
      at += int64_t(content->bytes / others);
      hasZeros = true;
      continue;
    }
    for (size_t d = 0; d < model.lists.size(); ++d)
      if (d != dim && content->lists[d] != model.lists[d]) return nullptr;
    const ListId own = content->lists[dim];
    isPlaced &= own == lists_.of({Interval{at, at + lists_.length(own)}});
    if (joined) joined = lists_.joined(*joined, own);
    at += lists_.length(own);
    isPending |= content->pending != Pending::None;
    for (Part &part : partsOf(*content))
      all.parts.push_back(std::move(part));
  }
  if (hasZeros) {
    if (!isPlaced || at != size) return nullptr;
    joined = lists_.whole(size);
  }
  if (!joined) return nullptr;
  all.lists[dim] = *joined;
  all.bytes = uint64_t(at) * others;
  all.pending = isPending || hasZeros ? Pending::Sum : Pending::None;
  if (all.pending == Pending::None) all.parts.clear();
  return store_.add(std::move(all));
}

const Content *Moves::asSegment(const Content &content, unsigned id, unsigned k) {
  const GlobalNode &node = values_.node(id);
  const GlobalOperand &operand = node.operands[k];
  if (content.kind != Content::Kind::Value || !content.isMicroValue() || operand.kind != GlobalOperand::Kind::Value)
    return nullptr;
  const std::optional<ViewId> own = values_.viewIn(content.root, operand.view);
  if (!own) return nullptr;
  const View &view = values_.view(*own);
  const auto &dims = node.indices->ins[k];
  auto lifted = [&](std::optional<Lists> lists) -> std::optional<Lists> {
    if (!lists) return std::nullopt;
    Lists leaves(node.indices->sizes.size(), lists_.whole(0)), out;
    for (auto [d, dim] : indexed(dims))
      if (dim.kind == OperatorIndices::Dim::Kind::Leaf) leaves[dim.leaves[0]] = (*lists)[d];
    for (auto [d, dim] : indexed(node.indices->outs[0])) {
      std::optional<ListId> list = listOfDim(lists_, *node.indices, dim, leaves);
      if (!list) return std::nullopt;
      out.push_back(*list);
    }
    return out;
  };
  std::optional<Lists> lists = lifted(inView(view, content.lists, {}));
  if (!lists || lists_.elements(*lists) != lists_.elements(content.lists)) return nullptr;
  Content segment;
  segment.dtype = content.dtype;
  segment.bytes = content.bytes;
  segment.root = node.results[0];
  segment.lists = *lists;
  segment.pending = content.pending;
  for (const Part &part : content.parts) {
    std::optional<Lists> elements = lifted(inView(view, part.elements, {})), spans;
    Lists whole;
    for (int64_t size : view.shape)
      whole.push_back(lists_.whole(size));
    spans = spansInView(view, part.elementSpans);
    if (!elements || !spans) return nullptr;
    for (auto [d, span] : indexed(*spans))
      if (span == kWholeSpan) span = whole[d];
    spans = lifted(spans);
    if (!spans) return nullptr;
    segment.parts.push_back(
        {contributions_.extended(part.path, id, k), *elements, part.points, *spans, part.pointSpans});
  }
  return store_.add(std::move(segment));
}

std::optional<ListId> Moves::hintFor(int64_t size, int64_t all, Interval segment, int64_t held) {
  for (const Hint &hint : hints_) {
    if (hint.size % size || lists_.length(hint.list) != hint.size / size * all) continue;
    auto parts = lists_.split(hint.list, hint.size / size);
    if (!parts || !lists_.isWhole(parts->second, hint.size / size)) continue;
    const ListId own = lists_.within(parts->first, segment.begin, segment.end);
    if (lists_.length(own) == held) return own;
  }
  return std::nullopt;
}

/// A constant as operand `k`, beside a segment `model` of the result, which has `all` elements in the joined dimension.
/// `isFirst`: it stands before all others, so that a part of it is its end.
const Content *Moves::constantSegment(const Content &content, unsigned id, unsigned k, const Content &model,
                                      int64_t all, bool isFirst) {
  const GlobalNode &node = values_.node(id);
  if (node.operands[k].kind == GlobalOperand::Kind::Value || node.indices->cutDim < 0) return nullptr;
  const size_t cut = size_t(node.indices->cutDim);
  int64_t begin = 0;
  for (unsigned before = 0; before < k; ++before)
    begin += node.operands[before].type.shape[cut];
  const int64_t length = node.operands[k].type.shape[cut];
  Lists own = model.lists;
  own[cut] = lists_.whole(1);
  const int64_t held = int64_t(content.bytes / sizeOf(content.dtype)) / std::max<int64_t>(1, lists_.elements(own));
  own[cut] = lists_.whole(length);
  if (held < length) {
    const ListId edge = lists_.of({isFirst ? Interval{length - held, length} : Interval{0, held}});
    const bool isFill = node.operands[k].kind == GlobalOperand::Kind::Fill;
    own[cut] =
        isFill ? hintFor(node.resultTypes[0].shape[cut], all, {begin, begin + length}, held).value_or(edge) : edge;
  }
  if (uint64_t(lists_.elements(own)) * sizeOf(content.dtype) != content.bytes ||
      content.dtype != node.operands[k].type.dtype || !isPartOf(content, node.operands[k], own))
    return nullptr;
  Content segment = model;
  segment.bytes = content.bytes;
  segment.pending = Pending::None;
  segment.parts.clear();
  segment.lists[cut] = lists_.shifted(own[cut], begin);
  return store_.add(std::move(segment));
}

/// Segments of a concat of the graph, each where it belongs.
const Content *Moves::joinAsConcat(llvm::ArrayRef<const Content *> contents, int64_t outer) {
  constexpr unsigned kMostOperands = 64;
  const Content *first = nullptr;
  for (const Content *content : contents)
    if (content->kind == Content::Kind::Value && !first) first = content;
  for (unsigned k = 0; first && k < kMostOperands; ++k)
    for (unsigned id : values_.readers(KernelId::Concat, k, first->root))
      if (const Content *model = asSegment(*first, id, k))
        if (const Content *joined = joinInto(id, contents, *model, outer)) return joined;
  return nullptr;
}

/// Whether all indices of `b` come after those of `a`.
bool Moves::isAfter(ListId a, ListId b) {
  const std::optional<ListId> both = lists_.joined(a, b);
  return both && !lists_.isFree(*both) && lists_.isAscending(*both);
}

const Content *Moves::joinInto(unsigned id, llvm::ArrayRef<const Content *> contents, const Content &model,
                               int64_t outer) {
  llvm::SmallVector<const Content *, 4> segments;
  llvm::SmallVector<unsigned, 4> operands; // whose segments they are
  unsigned next = 0;
  const int cut = values_.node(id).indices->cutDim;
  uint64_t bytes = 0;
  for (const Content *content : contents)
    bytes += content->bytes;
  const int64_t all = cut < 0 ? 0 : int64_t(bytes * uint64_t(lists_.length(model.lists[size_t(cut)])) / model.bytes);
  for (const Content *content : contents) {
    const Content *segment = nullptr;
    for (unsigned k = next; !segment && k < values_.node(id).operands.size(); ++k) {
      segment = content->kind == Content::Kind::Constant
                    ? constantSegment(*content, id, k, model, all, segments.empty())
                    : asSegment(*content, id, k);
      const bool isMore =
          !operands.empty() && k == operands.back() && !segments.back()->isZero(); // of the same operand
      if (segment && isMore && !isAfter(segments.back()->lists[size_t(cut)], segment->lists[size_t(cut)]))
        segment = nullptr;
      if (segment) next = k;
    }
    if (!segment && content->isZero()) segment = content;
    if (!segment) return nullptr;
    segments.push_back(segment);
    operands.push_back(next);
  }
  const bool hasZeros = llvm::any_of(segments, [](const Content *segment) { return segment->isZero(); });
  if (operands.front() == operands.back() && !hasZeros) return nullptr; // it is no concat
  if (llvm::any_of(segments, [](const Content *segment) { return segment->pending == Pending::Sum; }))
    for (auto [i, segment] : indexed(segments))
      if (segment->kind == Content::Kind::Value && segment->pending == Pending::None)
        segment = asAddend(*segment, id, operands[i]);
  return joinSameRoot(segments, outer);
}

/// A whole segment beside pending ones.
const Content *Moves::asAddend(const Content &segment, unsigned id, unsigned k) {
  const GlobalNode &node = values_.node(id);
  const auto cut = size_t(node.indices->cutDim);
  int64_t begin = 0;
  for (unsigned before = 0; before < k; ++before)
    begin += node.operands[before].type.shape[cut];
  Part part{contributions_.extended(kWholePath, id, k), segment.lists, {}, Lists(segment.lists.size(), kWholeSpan), {}};
  part.elementSpans[cut] = lists_.of({Interval{begin, begin + node.operands[k].type.shape[cut]}});
  Content addend = segment;
  addend.pending = Pending::Sum;
  addend.parts = {std::move(part)};
  return store_.add(std::move(addend));
}

} // namespace autotp

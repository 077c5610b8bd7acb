// compiler/certify/moves/joins_of_segments.cpp: contents that are operands of a concat of the graph, one after the other.
#include "compiler/certify/contents/symbols.h"
#include "compiler/certify/moves/constant_parts.h"
#include "compiler/certify/moves/joins.h"
#include "compiler/certify/moves/views.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// Returns the indices of the joined dimension that an operand of a concat has.
Interval segmentOf(const GlobalNode &node, unsigned operand) {
  const auto cut = size_t(node.indices->cutDim);
  int64_t begin = 0;
  for (unsigned before = 0; before < operand; ++before)
    begin += node.operands[before].type.shape[cut];
  return {begin, begin + node.operands[operand].type.shape[cut]};
}

} // namespace

/// Joins segments of concats of the graph that are segments of others: neighbours become one, until all are. The longest
/// run that is one value is taken: the parts of an inner concat are all there.
const Content *Joins::joinNestedConcats(Parts contents, int64_t outer) {
  constexpr size_t kMostContents = 16;
  llvm::SmallVector<const Content *, 8> left(contents.begin(), contents.end());
  auto joinRun = [&] {
    for (size_t length = left.size(); length-- > 2;)
      for (size_t begin = 0; begin + length <= left.size(); ++begin) {
        const Content *inner = joinOuter(Parts(left).slice(begin, length), outer);
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

const Content *Joins::joinAsConcat(Parts contents, int64_t outer) {
  constexpr unsigned kMostOperands = 64;
  const auto first = llvm::find_if(contents, [](const Content *content) { return content->as<Elements>(); });
  for (unsigned k = 0; first != contents.end() && k < kMostOperands; ++k)
    for (unsigned id : symbols_.values.readers(KernelId::Concat, k, (*first)->as<Elements>()->root))
      if (const Content *model = asSegment(**first, id, k))
        if (const Content *joined = joinInto(id, contents, *model, outer)) return joined;
  return nullptr;
}

/// Says whether all indices of `b` come after those of `a`.
bool Joins::isAfter(ListId a, ListId b) {
  const std::optional<ListId> both = lists_.joined(a, b);
  return both && !lists_.isFree(*both) && lists_.isAscending(*both);
}

const Content *Joins::joinInto(unsigned id, Parts contents, const Content &model, int64_t outer) {
  const int cut = symbols_.values.node(id).indices->cutDim;
  uint64_t bytes = 0;
  for (const Content *content : contents)
    bytes += content->bytes;
  const Lists &lists = model.as<Elements>()->lists;
  const int64_t all = cut < 0 ? 0 : int64_t(bytes * uint64_t(lists_.length(lists[size_t(cut)])) / model.bytes);
  Segments segments;
  unsigned operand = 0;
  for (const Content *content : contents) {
    const Content *segment = nextSegment({id, model, all}, *content, segments, operand);
    if (!segment) return nullptr;
    segments.contents.push_back(segment);
    segments.operands.push_back(operand);
  }
  const bool hasZeros = llvm::any_of(segments.contents, [](const Content *segment) { return segment->isZero(); });
  if (segments.operands.front() == segments.operands.back() && !hasZeros) return nullptr; // it is no concat
  auto isSum = [](const Content *segment) {
    return segment->isPartial() && segment->as<Elements>()->partial == Partial::Sum;
  };
  if (llvm::any_of(segments.contents, isSum))
    for (auto [i, segment] : indexed(segments.contents))
      if (segment->as<Elements>() && !segment->isPartial()) segment = asAddend(*segment, id, segments.operands[i]);
  return joinSameRoot(segments.contents, outer);
}

/// Returns a content as a segment of an operand, from `operand` on, that comes after the segments `before`; or as zeros.
const Content *Joins::nextSegment(const Target &target, const Content &content, const Segments &before,
                                  unsigned &operand) {
  const GlobalNode &node = symbols_.values.node(target.node);
  for (unsigned k = operand; k < node.operands.size(); ++k) {
    const Content *segment = content.as<Constant>() ? constantSegment(target, content, k, before.contents.empty())
                                                    : asSegment(content, target.node, k);
    if (!segment) continue;
    const auto *last = before.contents.empty() ? nullptr : before.contents.back()->as<Elements>();
    const bool isMore = last && k == before.operands.back(); // of the same operand
    const auto cut = size_t(node.indices->cutDim);
    if (isMore && !isAfter(last->lists[cut], segment->as<Elements>()->lists[cut])) continue;
    operand = k;
    return segment;
  }
  return content.isZero() ? &content : nullptr;
}

/// Turns lists of an operand's dimensions into those of the result, which has nothing of the other operands.
std::optional<Lists> Joins::lifted(const GlobalNode &node, unsigned operand, const std::optional<Lists> &lists) {
  if (!lists) return std::nullopt;
  Lists leaves(node.indices->sizes.size(), lists_.whole(0)), all;
  for (auto [d, dim] : indexed(node.indices->ins[operand]))
    if (dim.kind == OperatorIndices::Dim::Kind::Leaf) leaves[dim.leaves[0]] = (*lists)[d];
  for (const auto &dim : node.indices->outs[0]) {
    std::optional<ListId> list = listOfDim(lists_, *node.indices, dim, leaves);
    if (!list) return std::nullopt;
    all.push_back(*list);
  }
  return all;
}

std::optional<Summands> Joins::liftedSummands(unsigned id, unsigned operand, const View &view,
                                              const Summands &summands) {
  const GlobalNode &node = symbols_.values.node(id);
  std::optional<Lists> elements = lifted(node, operand, inView(lists_, view, summands.elements)),
                       spans = spansInView(lists_, view, summands.elementSpans);
  if (!elements || !spans) return std::nullopt;
  for (auto [d, span] : indexed(*spans))
    if (span == kWholeSpan) span = lists_.whole(view.shape[d]);
  spans = lifted(node, operand, spans);
  if (!spans) return std::nullopt;
  return Summands{symbols_.contributions.extended(summands.path, id, operand), *elements, summands.points, *spans,
                  summands.pointSpans};
}

/// Returns the same elements as a segment of the result of a concat. Null if the operand is another value.
const Content *Joins::asSegment(const Content &content, unsigned id, unsigned k) {
  const GlobalNode &node = symbols_.values.node(id);
  const GlobalOperand &operand = node.operands[k];
  const auto *held = content.as<Elements>();
  if (!held || !held->isOfMicroStep() || operand.kind != GlobalOperand::Kind::Value) return nullptr;
  const std::optional<ViewId> own = symbols_.values.viewIn(held->root, operand.view);
  if (!own) return nullptr;
  const View &view = symbols_.values.view(*own);
  std::optional<Lists> lists = lifted(node, k, inView(lists_, view, held->lists));
  if (!lists || lists_.elements(*lists) != lists_.elements(held->lists)) return nullptr;
  Elements segment{node.results[0], *lists, held->partial};
  for (const Summands &summands : held->summands) {
    std::optional<Summands> next = liftedSummands(id, k, view, summands);
    if (!next) return nullptr;
    segment.summands.push_back(std::move(*next));
  }
  return symbols_.store.add({content.dtype, content.bytes, std::move(segment)});
}

/// Returns a constant as an operand. If it stands before all others (`isFirst`), a part of it is its end.
const Content *Joins::constantSegment(const Target &target, const Content &content, unsigned k, bool isFirst) {
  const GlobalNode &node = symbols_.values.node(target.node);
  const GlobalOperand &operand = node.operands[k];
  if (operand.kind == GlobalOperand::Kind::Value || node.indices->cutDim < 0) return nullptr;
  const auto cut = size_t(node.indices->cutDim);
  const Interval segment = segmentOf(node, k);
  const int64_t length = segment.end - segment.begin;
  Lists own = target.model.as<Elements>()->lists;
  own[cut] = lists_.whole(1);
  const int64_t held = int64_t(content.bytes / sizeOf(content.dtype)) / std::max<int64_t>(1, lists_.elements(own));
  own[cut] = lists_.whole(length);
  if (held < length) {
    own[cut] = lists_.of({isFirst ? Interval{length - held, length} : Interval{0, held}});
    if (operand.kind == GlobalOperand::Kind::Fill)
      own[cut] = constants_.hintFor(node.resultTypes[0].shape[cut], target.all, segment, held).value_or(own[cut]);
  }
  if (symbols_.bytesOf(own, content.dtype) != content.bytes || content.dtype != operand.type.dtype ||
      !constants_.isPartOf(*content.as<Constant>(), operand, own))
    return nullptr;
  const Elements &model = *target.model.as<Elements>();
  Elements part{model.root, model.lists};
  part.lists[cut] = lists_.shifted(own[cut], segment.begin);
  return symbols_.store.add({target.model.dtype, content.bytes, std::move(part)});
}

/// Makes an addend of a segment that is whole, beside segments that are Partial.
const Content *Joins::asAddend(const Content &segment, unsigned id, unsigned k) {
  const GlobalNode &node = symbols_.values.node(id);
  Elements addend = *segment.as<Elements>();
  Summands whole = wholeSummands(addend.lists);
  whole.path = symbols_.contributions.extended(kWholePath, id, k);
  whole.elementSpans[size_t(node.indices->cutDim)] = lists_.of({segmentOf(node, k)});
  addend.partial = Partial::Sum;
  addend.summands = {std::move(whole)};
  return symbols_.store.add({segment.dtype, segment.bytes, std::move(addend)});
}

} // namespace autotp

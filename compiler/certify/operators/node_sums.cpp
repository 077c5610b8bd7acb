// compiler/certify/operators/node_sums.cpp: which parts of a sum an operator's result has.
#include "compiler/certify/operators/node_attempt.h"
#include "runtime/base/indexed.h"

namespace autotp {

llvm::SmallVector<unsigned, 4> NodeAttempt::summedLeaves(size_t j) const {
  llvm::SmallVector<unsigned, 4> summed(indices_.contracted[j].begin(), indices_.contracted[j].end());
  if (indices_.lookup >= 0) summed.push_back(unsigned(indices_.lookup));
  return summed;
}

/// No operand is pending: a sum is, where not all that is summed is here.
bool NodeAttempt::sumParts(size_t j, Content &content) {
  Part part{contributions_.extended(kWholePath, id_, Contributions::kContraction),
            content.lists,
            {},
            Lists(content.lists.size(), kWholeSpan),
            {}};
  bool isAll = true;
  const bool isNothing = llvm::any_of(
      summedLeaves(j), [&](unsigned leaf) { return bound_[leaf] != kUnbound && lists_.length(bound_[leaf]) == 0; });
  for (unsigned leaf : summedLeaves(j)) {
    const bool isKnown = bound_[leaf] != kUnbound && !lists_.isFree(bound_[leaf]);
    if (!isKnown && !isNothing) return fail("what it sums over does not follow");
    part.points.push_back(isKnown ? bound_[leaf] : lists_.whole(indices_.sizes[leaf]));
    part.pointSpans.push_back(lists_.whole(indices_.sizes[leaf]));
    isAll &= part.points.back() == part.pointSpans.back();
  }
  if (isAll) return true;
  content.pending = indices_.isMaximum ? Pending::Max : Pending::Sum;
  content.parts.push_back(std::move(part));
  return true;
}

/// A pending operand passes through: each of its parts, with what this operator sums.
bool NodeAttempt::passParts(size_t j, Content &content) {
  const unsigned operand = unsigned(pending_);
  const View &view = values_.view(views_[operand]);
  content.pending = Pending::Sum;
  for (const Part &part : reads_[operand].content->parts) {
    std::optional<Lists> elements = moves_.inView(view, part.elements, {}),
                         spans = moves_.spansInView(view, part.elementSpans);
    Lists own = bound_, ownSpans(bound_.size(), kWholeSpan);
    if (!elements || !spans || !overlay(operand, *elements, own) || !overlay(operand, *spans, ownSpans))
      return fail("which part of a pending sum passes through does not follow");
    Part passed{contributions_.extended(part.path, id_, operand), {}, part.points, {}, part.pointSpans};
    for (unsigned leaf : summedLeaves(j)) {
      if (own[leaf] == kUnbound || lists_.isFree(own[leaf])) return fail("what it sums over does not follow");
      passed.points.push_back(own[leaf]);
      passed.pointSpans.push_back(ownSpans[leaf] == kWholeSpan ? lists_.whole(indices_.sizes[leaf]) : ownSpans[leaf]);
    }
    if (!placeElements(j, content, own, ownSpans, passed))
      return fail("which part of a pending sum passes through does not follow");
    content.parts.push_back(std::move(passed));
  }
  return true;
}

/// Lists of an operand's dimensions over those of the leaves.
bool NodeAttempt::overlay(unsigned operand, llvm::ArrayRef<ListId> held, Lists &own) {
  for (auto [d, dim] : indexed(indices_.ins[operand])) {
    if (held[d] == kWholeSpan) continue;
    Lists parts(dim.leaves.size(), 0);
    if (!listsOfLeaves(lists_, indices_, dim, held[d], parts)) return false;
    for (auto [i, leaf] : indexed(dim.leaves))
      own[leaf] = parts[i];
  }
  return true;
}

bool NodeAttempt::placeElements(size_t j, const Content &content, llvm::ArrayRef<ListId> own,
                                llvm::ArrayRef<ListId> spans, Part &part) {
  for (auto [d, dim] : indexed(indices_.outs[j])) {
    std::optional<ListId> list = content.lists[d], span = kWholeSpan;
    if (llvm::all_of(dim.leaves, [&](unsigned leaf) { return own[leaf] != kUnbound; }))
      list = listOfDim(lists_, indices_, dim, own);
    if (llvm::any_of(dim.leaves, [&](unsigned leaf) { return spans[leaf] != kWholeSpan; })) {
      Lists all;
      for (auto [leaf, size] : indexed(indices_.sizes))
        all.push_back(spans[leaf] == kWholeSpan ? lists_.whole(size) : spans[leaf]);
      span = listOfDim(lists_, indices_, dim, all);
    }
    if (!list || !span) return false;
    part.elements.push_back(*list);
    part.elementSpans.push_back(*span);
  }
  return true;
}

/// Each addend is a part of its own.
bool NodeAttempt::addParts(Content &content) {
  content.pending = Pending::Sum;
  for (unsigned k = 0; k < reads_.size(); ++k) {
    const GlobalOperand &operand = node_.operands[k];
    if (isZeroConstant(operand)) continue;
    Part here{
        contributions_.extended(kWholePath, id_, k), content.lists, {}, Lists(content.lists.size(), kWholeSpan), {}};
    if (indices_.cutDim >= 0 && !cutToSegment(k, content, here)) return false;
    const Content *added = reads_[k].content;
    if (added && added->pending != Pending::None) {
      if (!addPending(k, content)) return fail("which part of a pending sum is added does not follow");
      continue;
    }
    const bool isNothing = !added || (added->isZero() && !isGraphsZero_[k]);
    if (!isNothing) content.parts.push_back(std::move(here));
  }
  return true;
}

bool NodeAttempt::addPending(unsigned k, Content &content) {
  const View &view = values_.view(views_[k]);
  for (const Part &part : reads_[k].content->parts) {
    std::optional<Lists> elements = moves_.inView(view, part.elements, {}),
                         spans = moves_.spansInView(view, part.elementSpans);
    Lists own = bound_, ownSpans(bound_.size(), kWholeSpan);
    if (!elements || !spans || !overlay(k, *elements, own) || !overlay(k, *spans, ownSpans)) return false;
    Part next{contributions_.extended(part.path, id_, k), {}, part.points, {}, part.pointSpans};
    clearOtherSegments(k, own, ownSpans);
    if (!placeElements(0, content, own, ownSpans, next)) return false;
    content.parts.push_back(std::move(next));
  }
  return true;
}

/// The leaf of an operand in the dimension that a concat joins.
std::optional<unsigned> NodeAttempt::segmentOf(unsigned operand) const {
  if (indices_.cutDim < 0) return std::nullopt;
  const Dim &dim = indices_.ins[operand][size_t(indices_.cutDim)];
  return dim.kind == Dim::Kind::Leaf ? std::optional<unsigned>(dim.leaves[0]) : std::nullopt;
}

void NodeAttempt::clearOtherSegments(unsigned operand, Lists &own, Lists &spans) {
  std::optional<unsigned> segment = segmentOf(operand);
  if (!segment) return;
  for (unsigned leaf : indices_.outs[0][size_t(indices_.cutDim)].leaves) {
    if (leaf != *segment) own[leaf] = lists_.whole(0);
    if (leaf != *segment)
      spans[leaf] = lists_.whole(0);
    else if (spans[leaf] == kWholeSpan)
      spans[leaf] = lists_.whole(indices_.sizes[leaf]);
  }
}

bool NodeAttempt::cutToSegment(unsigned operand, const Content &content, Part &part) {
  if (!segmentOf(operand)) return indices_.outs[0][size_t(indices_.cutDim)].kind != Dim::Kind::Concat;
  Lists own = bound_, spans(bound_.size(), kWholeSpan);
  clearOtherSegments(operand, own, spans);
  part.elements.clear();
  part.elementSpans.clear();
  return placeElements(0, content, own, spans, part) || fail("which segment of the result it is does not follow");
}

} // namespace autotp

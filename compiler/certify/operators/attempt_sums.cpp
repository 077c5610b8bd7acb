// compiler/certify/operators/attempt_sums.cpp: which summands an operator's result has.
#include "compiler/certify/moves/views.h"
#include "compiler/certify/operators/attempt.h"
#include "compiler/certify/refusal.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

llvm::Error lost(llvm::StringRef done) { return refuse("which part of a Partial sum " + done + " does not follow"); }

} // namespace

llvm::SmallVector<unsigned, 4> Attempt::summedLeaves(size_t j) const {
  llvm::SmallVector<unsigned, 4> summed(indices_.contracted[j].begin(), indices_.contracted[j].end());
  if (indices_.lookup >= 0) summed.push_back(unsigned(indices_.lookup));
  return summed;
}

/// If no operand is Partial, the result is Partial only if not all that is summed is here.
llvm::Error Attempt::sumSummands(size_t j, Elements &result) {
  Summands own = wholeSummands(result.lists);
  own.path = symbols_.contributions.extended(kWholePath, id_, Contributions::kContraction);
  const auto leaves = summedLeaves(j);
  const bool isNothing =
      llvm::any_of(leaves, [&](unsigned leaf) { return bound_[leaf] != kUnbound && lists_.length(bound_[leaf]) == 0; });
  for (unsigned leaf : leaves) {
    const bool isKnown = bound_[leaf] != kUnbound && !lists_.isFree(bound_[leaf]);
    if (!isKnown && !isNothing) return refuse("what it sums over does not follow");
    own.points.push_back(isKnown ? bound_[leaf] : lists_.whole(indices_.sizes[leaf]));
    own.pointSpans.push_back(lists_.whole(indices_.sizes[leaf]));
  }
  if (own.points == own.pointSpans) return llvm::Error::success();
  result.partial = indices_.isMaximum ? Partial::Max : Partial::Sum;
  result.summands.push_back(std::move(own));
  return llvm::Error::success();
}

/// Finds what one box of summands of an operand has of each index.
std::optional<Attempt::Bounds> Attempt::boundsOf(unsigned operand, const Summands &summands) {
  const View &view = symbols_.values.view(views_[operand]);
  std::optional<Lists> elements = inView(lists_, view, summands.elements),
                       spans = spansInView(lists_, view, summands.elementSpans);
  Bounds bounds{bound_, Lists(bound_.size(), kWholeSpan)};
  if (!elements || !spans || !overlay(operand, *elements, bounds.own) || !overlay(operand, *spans, bounds.spans))
    return std::nullopt;
  return bounds;
}

/// The summands of a Partial operand pass through, each with what this operator sums.
llvm::Error Attempt::passSummands(size_t j, Elements &result) {
  const unsigned operand = unsigned(partial_);
  result.partial = Partial::Sum;
  for (const Summands &summands : reads_[operand].content->as<Elements>()->summands) {
    std::optional<Bounds> bounds = boundsOf(operand, summands);
    if (!bounds) return lost("passes through");
    Summands passed{
        symbols_.contributions.extended(summands.path, id_, operand), {}, summands.points, {}, summands.pointSpans};
    for (unsigned leaf : summedLeaves(j)) {
      const ListId own = bounds->own[leaf], span = bounds->spans[leaf];
      if (own == kUnbound || lists_.isFree(own)) return refuse("what it sums over does not follow");
      passed.points.push_back(own);
      passed.pointSpans.push_back(span == kWholeSpan ? lists_.whole(indices_.sizes[leaf]) : span);
    }
    if (!placeElements(j, result, *bounds, passed)) return lost("passes through");
    result.summands.push_back(std::move(passed));
  }
  return llvm::Error::success();
}

/// Puts the lists of an operand's dimensions over those of the leaves.
bool Attempt::overlay(unsigned operand, llvm::ArrayRef<ListId> held, Lists &own) {
  for (auto [d, dim] : indexed(indices_.ins[operand])) {
    if (held[d] == kWholeSpan) continue;
    Lists parts(dim.leaves.size(), 0);
    if (!listsOfLeaves(lists_, indices_, dim, held[d], parts)) return false;
    for (auto [i, leaf] : indexed(dim.leaves))
      own[leaf] = parts[i];
  }
  return true;
}

/// Says which elements of the result summands belong to; false if that does not follow.
bool Attempt::placeElements(size_t j, const Elements &result, const Bounds &bounds, Summands &summands) {
  for (auto [d, dim] : indexed(indices_.outs[j])) {
    std::optional<ListId> list = result.lists[d], span = kWholeSpan;
    if (llvm::all_of(dim.leaves, [&](unsigned leaf) { return bounds.own[leaf] != kUnbound; }))
      list = listOfDim(lists_, indices_, dim, bounds.own);
    if (llvm::any_of(dim.leaves, [&](unsigned leaf) { return bounds.spans[leaf] != kWholeSpan; })) {
      Lists all;
      for (auto [leaf, size] : indexed(indices_.sizes))
        all.push_back(bounds.spans[leaf] == kWholeSpan ? lists_.whole(size) : bounds.spans[leaf]);
      span = listOfDim(lists_, indices_, dim, all);
    }
    if (!list || !span) return false;
    summands.elements.push_back(*list);
    summands.elementSpans.push_back(*span);
  }
  return true;
}

/// Each addend is a box of summands of its own.
llvm::Error Attempt::addSummands(Elements &result) {
  result.partial = Partial::Sum;
  for (unsigned k = 0; k < reads_.size(); ++k) {
    if (isZeroConstant(node_.operands[k])) continue;
    Summands here = wholeSummands(result.lists);
    here.path = symbols_.contributions.extended(kWholePath, id_, k);
    if (indices_.cutDim >= 0)
      if (llvm::Error error = cutToSegment(k, result, here)) return error;
    const Content *added = reads_[k].content;
    if (added && added->isPartial()) {
      if (llvm::Error error = addPartial(k, result)) return error;
      continue;
    }
    const bool isNothing = !added || (added->isZero() && !isGraphsZero_[k]);
    if (!isNothing) result.summands.push_back(std::move(here));
  }
  return llvm::Error::success();
}

llvm::Error Attempt::addPartial(unsigned k, Elements &result) {
  for (const Summands &summands : reads_[k].content->as<Elements>()->summands) {
    std::optional<Bounds> bounds = boundsOf(k, summands);
    if (!bounds) return lost("is added");
    Summands next{symbols_.contributions.extended(summands.path, id_, k), {}, summands.points, {}, summands.pointSpans};
    clearOtherSegments(k, *bounds);
    if (!placeElements(0, result, *bounds, next)) return lost("is added");
    result.summands.push_back(std::move(next));
  }
  return llvm::Error::success();
}

/// Returns the leaf of an operand in the dimension that a concat joins.
std::optional<unsigned> Attempt::segmentOf(unsigned operand) const {
  if (indices_.cutDim < 0) return std::nullopt;
  const Dim &dim = indices_.ins[operand][size_t(indices_.cutDim)];
  return dim.kind == Dim::Kind::Leaf ? std::optional<unsigned>(dim.leaves[0]) : std::nullopt;
}

void Attempt::clearOtherSegments(unsigned operand, Bounds &bounds) {
  std::optional<unsigned> segment = segmentOf(operand);
  if (!segment) return;
  for (unsigned leaf : indices_.outs[0][size_t(indices_.cutDim)].leaves) {
    if (leaf != *segment)
      bounds.own[leaf] = bounds.spans[leaf] = lists_.whole(0);
    else if (bounds.spans[leaf] == kWholeSpan)
      bounds.spans[leaf] = lists_.whole(indices_.sizes[leaf]);
  }
}

/// Leaves of summands the segment of the result that an operand of a concat is.
llvm::Error Attempt::cutToSegment(unsigned operand, const Elements &result, Summands &summands) {
  const auto lostSegment = [] { return refuse("which segment of the result it is does not follow"); };
  if (!segmentOf(operand)) {
    const bool isConcat = indices_.outs[0][size_t(indices_.cutDim)].kind == Dim::Kind::Concat;
    return isConcat ? lostSegment() : llvm::Error::success();
  }
  Bounds bounds{bound_, Lists(bound_.size(), kWholeSpan)};
  clearOtherSegments(operand, bounds);
  summands.elements.clear();
  summands.elementSpans.clear();
  return placeElements(0, result, bounds, summands) ? llvm::Error::success() : lostSegment();
}

} // namespace autotp

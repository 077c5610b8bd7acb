#include "passes/shard/sequence_region.h"

#include "compiler/ops/op_def.h"
#include "passes/shard/place_reductions.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

class Grower {
public:
  Grower(const Graph &graph, const GraphAxes &axes, const Assignment &chosen, const Assignment &sequence)
      : graph_(graph), axes_(axes), chosen_(chosen), sequence_(sequence) {}

  SequenceRegion grow(const Reductions &reductions) const {
    SequenceRegion region{chosen_.joined(sequence_), std::vector<bool>(graph_.numNodes(), false),
                          std::vector<bool>(graph_.numValues(), false)};
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next) {
      const Node &node = graph_.node(id);
      auto isPart = [&](ValueId v) { return region.held[v] || mayBeScattered(v, reductions); };
      if (!mayWorkInParts(id) || llvm::none_of(node.operands, isPart)) continue;
      region.nodes[id] = true;
      for (ValueId operand : node.operands) // the sums that it reads are reduce-scattered
        if (mayBeScattered(operand, reductions)) region.held[operand] = true;
      for (ValueId result : node.results)
        if (sequenceDims(axes_.values[result]) > 0) region.held[result] = true;
    }
    trim(region);
    return region;
  }

private:
  int sequenceDims(llvm::ArrayRef<AxisId> terms) const {
    return int(llvm::count_if(terms, [&](AxisId t) { return t != kNoAxis && isSharded(axes_.arena, t, sequence_); }));
  }
  bool hasChosen(llvm::ArrayRef<AxisId> terms) const {
    return llvm::any_of(terms, [&](AxisId t) { return t != kNoAxis && isSharded(axes_.arena, t, chosen_); });
  }

  /// Whether a node outside the region reads the value, or it is an output, so that it needs an all-gather.
  bool isGathered(ValueId value, const SequenceRegion &region) const {
    return graph_.isOutput(value) ||
           llvm::any_of(graph_.value(value).uses, [&](Use use) { return !region.nodes[use.node]; });
  }

  /// Removes nodes whose results are read only outside, and whose operands are gathered anyway. Such a node is often a
  /// view of what a block reads, flattened for the gradient of a weight; its result would need a second all-gather.
  void trim(SequenceRegion &region) const {
    for (NodeId id = graph_.last(); id != kNone; id = graph_.node(id).previous) {
      if (!region.nodes[id]) continue;
      const Node &node = graph_.node(id);
      bool isReadInside = llvm::any_of(node.results, [&](ValueId r) {
        return llvm::any_of(graph_.value(r).uses, [&](Use use) { return region.nodes[use.node]; });
      });
      // The gradient of a parameter, summed over this rank's part of the sequence.
      bool isUndecided = llvm::any_of(node.results, [&](ValueId r) { return !region.held[r]; });
      auto isFree = [&](ValueId v) { return !region.held[v] || isGathered(v, region); };
      if (isReadInside || isUndecided || !llvm::all_of(node.operands, isFree)) continue;
      region.nodes[id] = false;
      for (ValueId result : node.results)
        region.held[result] = false;
    }
  }

  /// Whether the reduction of the value may be a reduce-scatter: every rank would hold it whole, and it has more than
  /// one element for each token. Statistics of one element for each token stay all-reduced.
  bool mayBeScattered(ValueId value, const Reductions &reductions) const {
    const Terms &terms = axes_.values[value];
    const Shape &shape = graph_.type(value).shape;
    if (!reductions.isReduced[value] || terms.empty()) return false; // constants have no terms
    bool isWide = !shape.empty() && shape.back() > 1 && terms.back() != kNoAxis &&
                  !isSharded(axes_.arena, terms.back(), sequence_);
    return isWide && sequenceDims(terms) == 1 && !hasChosen(terms);
  }

  bool mayWorkInParts(NodeId id) const {
    const Node &node = graph_.node(id);
    const IndexTerms &terms = axes_.nodes[id].terms;
    bool hasSequence = false;
    for (const auto *lists : {&terms.ins, &terms.outs})
      for (const auto &dims : *lists) {
        if (hasChosen(dims) || sequenceDims(dims) > 1) return false;
        hasSequence |= sequenceDims(dims) == 1;
        // If one token is cut out of the sequence or joined to it, that dimension of size 1 has no axis, and only one
        // rank has the token.
        if (terms.cutDim >= 0 && size_t(terms.cutDim) < dims.size() && dims[terms.cutDim] == kNoAxis) return false;
      }
    for (const auto &[axis, reason] : terms.whole)
      if (isSharded(axes_.arena, axis, sequence_)) return false;
    if (isSharded(axes_.arena, terms.within, sequence_)) return false;
    for (AxisId term : {terms.lookup, terms.scatter, terms.classes})
      if (term != kNoAxis && isSharded(axes_.arena, term, sequence_)) return false;
    for (const auto &[j, result] : indexed(node.results))
      if (sequenceDims(terms.contracted[j]) > 0 && !graph_.isOutput(result)) return false;
    bool isCut = llvm::any_of(axes_.nodes[id].isCut, [](bool cut) { return cut; });
    return hasSequence && !isCut && !node.is("full");
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  const Assignment &chosen_, &sequence_;
};

/// Divides a dimension evenly over tp and assigns to each of its leaves the part of each interval that lies in it,
/// since a dimension may consist of several segments. Returns false if a segment is not a leaf.
bool assignEvenly(const AxisArena &arena, AxisId term, int tp, Assignment &assignment) {
  std::vector<Interval> whole = evenIntervals(arena.size(term), tp);
  int64_t offset = 0;
  for (AxisId segment : arena.segments(term)) {
    if (arena.kind(segment) != AxisArena::Kind::Leaf) return false;
    int64_t size = arena.size(segment);
    std::vector<Interval> own;
    for (const Interval &i : whole) {
      int64_t begin = std::clamp<int64_t>(i.begin - offset, 0, size),
              end = std::clamp<int64_t>(i.end - offset, 0, size);
      own.push_back({begin, std::max(begin, end)});
    }
    if (!assignment.has(arena.find(segment))) assignment.assign(arena.find(segment), own);
    offset += size;
  }
  return true;
}

} // namespace

llvm::Expected<Assignment> sequenceLeaves(const GraphAxes &axes, llvm::ArrayRef<ValueId> tokens, int tp) {
  Assignment sequence;
  for (ValueId input : tokens) {
    const Terms &terms = axes.values[input];
    if (terms.size() < 2 || terms[1] == kNoAxis) continue;
    Assignment extended = sequence; // a dimension that cannot be divided leaves no part of itself behind
    if (assignEvenly(axes.arena, terms[1], tp, extended)) sequence = std::move(extended);
  }
  if (sequence.empty())
    return problem("--sequence-parallel",
                   "the model has no input of tokens [batch, sequence] whose sequence is an axis");
  return sequence;
}

SequencePlacement placeSequence(const Graph &graph, const GraphAxes &axes, const Assignment &chosen,
                                const Assignment &sequence) {
  Grower grower(graph, axes, chosen, sequence);
  SequencePlacement placement{{}, placeReductions(graph, axes, chosen)};
  // Each round moves reductions to before the region, which may let the region grow. After the last one the region
  // could perhaps be larger, but reductions are placed for it as it is.
  constexpr int kMostRounds = 8;
  for (int round = 0; round < kMostRounds; ++round) {
    SequenceRegion region = grower.grow(placement.reductions);
    bool isSame = region.nodes == placement.region.nodes && region.held == placement.region.held;
    placement.region = std::move(region);
    if (isSame) break;
    placement.reductions = placeReductions(graph, axes, chosen, &placement.region);
  }
  return placement;
}

} // namespace autotp

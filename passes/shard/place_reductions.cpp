#include "passes/shard/place_reductions.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "passes/shard/minimum_cut.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace autotp {
namespace {

using LeafSet = llvm::SmallSetVector<AxisId, 8>;

/// The assigned leaves of a list of terms, without dimension `leftOut`. A caller leaves out the dimension that a slice
/// or concat cuts, since its other segments never multiply with the one that is kept.
LeafSet assignedLeaves(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, const Assignment &assignment,
                       int leftOut = -1) {
  LeafSet set;
  for (const auto &[d, term] : indexed(terms)) {
    if (term == kNoAxis || int(d) == leftOut) continue;
    for (AxisId leaf : arena.leaves(term))
      if (assignment.has(arena.find(leaf))) set.insert(arena.find(leaf));
  }
  return set;
}

bool createsPartial(const GraphAxes &axes, const Assignment &assignment, const IndexTerms &terms, unsigned result) {
  auto hasAssigned = [&](AxisId term) { return term != kNoAxis && isSharded(axes.arena, term, assignment); };
  return hasAssigned(terms.lookup) || llvm::any_of(terms.contracted[result], hasAssigned);
}

/// The flow network over values. Value v is the pair of vertices (2v, 2v + 1), joined by an edge whose capacity is the
/// cost of reducing v.
class Network {
public:
  Network(const Graph &graph, const GraphAxes &axes, const Assignment &assignment, const SequenceRegion *region)
      : graph_(graph), axes_(axes), assignment_(assignment), region_(region), cut_(2 * graph.numValues() + 2),
        mayBePartial_(graph.numValues(), false), rides_(gradientsOfWhole()) {}

  Reductions solve() {
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      visit(id);
    for (const Output &output : graph_.outputs)
      if (mayBePartial_[output.value]) cut_.addEdge(out(output.value), sink(), MinimumCut::kUnbounded);
    std::vector<bool> onSourceSide = cut_.solve(source(), sink());
    Reductions reductions;
    reductions.isPartial.assign(graph_.numValues(), false);
    reductions.isReduced.assign(graph_.numValues(), false);
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      for (const auto &[j, result] : indexed(graph_.node(id).results)) {
        if (!mayBePartial_[result] || !onSourceSide[in(result)]) continue;
        reductions.isPartial[result] = isMadePartial(id, unsigned(j), reductions);
        reductions.isReduced[result] = reductions.isPartial[result] && !onSourceSide[out(result)] && !rides_[result];
      }
    return reductions;
  }

private:
  size_t in(ValueId v) const { return 2 * size_t(v); }
  size_t out(ValueId v) const { return 2 * size_t(v) + 1; }
  size_t source() const { return 2 * graph_.numValues(); }
  size_t sink() const { return source() + 1; }

  bool isInRegion(NodeId id) const { return region_ && region_->nodes[id]; }
  const Assignment &of(NodeId id) const { return isInRegion(id) ? region_->assignment : assignment_; }

  /// By value: whether it is the gradient of a parameter that every tp rank holds whole, and is nothing else. Such a
  /// gradient may stay Partial, since its bucket reduces it.
  std::vector<bool> gradientsOfWhole() const {
    std::vector<bool> rides(graph_.numValues(), false);
    llvm::StringSet<> wholes;
    for (const ParameterInfo &info : graph_.parameters)
      if (assignedLeaves(axes_.arena, axes_.values[info.value], assignment_).empty())
        wholes.insert(gradientName(graph_.value(info.value).name));
    for (const Output &output : graph_.outputs)
      if (wholes.contains(output.name) && graph_.value(output.value).uses.empty()) rides[output.value] = true;
    for (const Output &output : graph_.outputs)
      if (!wholes.contains(output.name)) rides[output.value] = false;
    return rides;
  }

  /// Adds the node's edges. Edges of unlimited capacity forbid a cut between an operand that passes through and the
  /// result, so the cut falls on the values themselves.
  void visit(NodeId id) {
    const Node &node = graph_.node(id);
    const OpDef &row = opOf(node);
    for (const auto &[j, result] : indexed(node.results))
      if (createsPartial(axes_, of(id), axes_.nodes[id].terms, unsigned(j))) {
        admit(result);
        cut_.addEdge(source(), in(result), MinimumCut::kUnbounded);
      }
    int taken = -1; // of operands that multiply, only one may pass as Partial: the one that costs most to reduce
    if (!row.isAdditive)
      for (unsigned k = 0; k < node.operands.size(); ++k)
        if (mayBePartial_[node.operands[k]] && isLinearIn(graph_, node, k) &&
            (taken < 0 || costOf(node.operands[k]) > costOf(node.operands[size_t(taken)])))
          taken = int(k);
    for (unsigned k = 0; k < node.operands.size(); ++k) {
      if (!mayBePartial_[node.operands[k]]) continue;
      bool mayPass = !isInRegion(id) && (row.isAdditive || taken == int(k));
      for (unsigned j = 0; j < node.results.size(); ++j)
        mayPass = mayPass && passesThrough(graph_, axes_, assignment_, id, k, j);
      if (!mayPass) {
        cut_.addEdge(out(node.operands[k]), sink(), MinimumCut::kUnbounded);
        continue;
      }
      for (ValueId result : node.results) {
        admit(result);
        cut_.addEdge(out(node.operands[k]), in(result), MinimumCut::kUnbounded);
      }
    }
  }

  void admit(ValueId value) {
    if (mayBePartial_[value]) return;
    mayBePartial_[value] = true;
    cut_.addEdge(in(value), out(value), costOf(value));
  }

  /// Bytes that reducing tp rank 0's part of `value` sends, which is the largest, with the latency expressed in bytes.
  /// The gradient of a parameter is reduced with its bucket, and therefore cheaper.
  int64_t costOf(ValueId value) const {
    constexpr int64_t kLatencyBytes = 4096;
    const Type &type = graph_.type(value);
    int64_t bytes =
        int64_t(Type{type.dtype, localShape(axes_.arena, axes_.values[value], type.shape, assignment_, 0)}.bytes());
    return graph_.isOutput(value) ? 1 + bytes / 2 : kLatencyBytes + bytes;
  }

  bool isMadePartial(NodeId id, unsigned result, const Reductions &reductions) const {
    if (createsPartial(axes_, of(id), axes_.nodes[id].terms, result)) return true;
    return llvm::any_of(graph_.node(id).operands,
                        [&](ValueId v) { return reductions.isPartial[v] && !reductions.isReduced[v]; });
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  const Assignment &assignment_;
  const SequenceRegion *region_;
  MinimumCut cut_;
  std::vector<bool> mayBePartial_, rides_;
};

} // namespace

bool passesThrough(const Graph &graph, const GraphAxes &axes, const Assignment &assignment, NodeId id, unsigned operand,
                   unsigned result) {
  const Node &node = graph.node(id);
  if (!isLinearIn(graph, node, operand)) return false;
  bool isTwice = llvm::count(node.operands, node.operands[operand]) > 1;
  if (isTwice && !opOf(node).isAdditive) return false; // x * x is not linear in x
  const IndexTerms &terms = axes.nodes[id].terms;
  if (axes.nodes[id].isCut[operand] || isSharded(axes.arena, terms.within, assignment)) return false;
  LeafSet own = assignedLeaves(axes.arena, terms.ins[operand], assignment);
  auto has = [&](AxisId leaf) { return own.count(leaf); };
  for (const auto &other : terms.ins)
    if (!llvm::all_of(assignedLeaves(axes.arena, other, assignment, terms.cutDim), has)) return false;
  return llvm::all_of(assignedLeaves(axes.arena, terms.outs[result], assignment, terms.cutDim), has);
}

Reductions placeReductions(const Graph &graph, const GraphAxes &axes, const Assignment &assignment,
                           const SequenceRegion *region) {
  return Network(graph, axes, assignment, region).solve();
}

} // namespace autotp

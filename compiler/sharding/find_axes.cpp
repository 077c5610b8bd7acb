#include "compiler/sharding/find_axes.h"

#include "compiler/ir/gradient_outputs.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// Unifies the dimensions of a and b. If one pair fails, undoes all of them, or only that one with Cuts::Dimensions,
/// and returns false.
bool unifyAll(AxisArena &arena, llvm::ArrayRef<AxisId> a, llvm::ArrayRef<AxisId> b, Cuts cuts) {
  const auto mark = arena.mark();
  bool isAll = true;
  for (size_t d = 0; d < a.size() && (isAll || cuts == Cuts::Dimensions); ++d) {
    if (a[d] == kNoAxis && b[d] == kNoAxis) continue;
    const auto before = arena.mark();
    if (a[d] != kNoAxis && b[d] != kNoAxis && arena.unify(a[d], b[d])) continue;
    arena.undo(cuts == Cuts::Dimensions ? before : mark);
    isAll = false;
  }
  return isAll;
}

Terms freshTerms(AxisArena &arena, llvm::ArrayRef<int64_t> shape) {
  Terms terms;
  for (int64_t size : shape)
    terms.push_back(arena.leaf(size));
  return terms;
}

} // namespace

/// Values get the terms of their producer's results. A node's own terms are unified with those of the values that it
/// reads.
GraphAxes findAxes(const Graph &graph, Cuts cuts) {
  GraphAxes axes;
  axes.values.resize(graph.numValues());
  axes.nodes.resize(graph.numNodes());
  for (ValueId id = 0; id < graph.numValues(); ++id)
    if (graph.value(id).producer == kNone && !hasTermsPerUse(graph, id))
      axes.values[id] = freshTerms(axes.arena, graph.type(id).shape);
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    NodeAxes &own = axes.nodes[id];
    own.terms = axesOf(axes.arena, graph, node);
    own.isCut.assign(node.operands.size(), false);
    for (const auto &[k, operand] : indexed(node.operands))
      if (!hasTermsPerUse(graph, operand))
        own.isCut[k] = !unifyAll(axes.arena, own.terms.ins[k], axes.values[operand], cuts);
    for (const auto &[j, result] : indexed(node.results))
      axes.values[result] = Terms(own.terms.outs[j].begin(), own.terms.outs[j].end());
  }
  for (auto [parameter, gradient] : gradientOutputs(graph))
    if (!hasTermsPerUse(graph, gradient)) unifyAll(axes.arena, axes.values[parameter], axes.values[gradient], cuts);
  axes.arena.settle();
  return axes;
}

} // namespace autotp

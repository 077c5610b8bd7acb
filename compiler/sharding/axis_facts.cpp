#include "compiler/sharding/axis_facts.h"

#include "compiler/ops/op_def.h"

namespace autotp {

AxisFacts::AxisFacts(const Graph &graph, const GraphAxes &axes) : arena_(axes.arena) {
  for (ValueId id = 0; id < graph.numValues(); ++id)
    meetInValue(axes.values[id]);
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    visit(graph.node(id), axes.nodes[id].terms);
}

bool AxisFacts::multiply(AxisId a, AxisId b) const {
  auto at = multiplies_.find(a);
  return at != multiplies_.end() && at->second.count(b);
}

/// Notes that the leaves of one term multiply, unless they lie in different segments of one concat. Returns its leaves.
AxisFacts::LeafSet AxisFacts::meetInTerm(AxisId term) {
  LeafSet all;
  for (AxisId segment : arena_.segments(term)) {
    LeafSet own;
    for (AxisId factor : arena_.factors(segment)) {
      AxisId root = arena_.find(factor);
      LeafSet inner = arena_.kind(root) == AxisArena::Kind::Concat ? meetInTerm(root) : LeafSet{root};
      meet(own, inner);
      own.append(inner.begin(), inner.end());
    }
    for (AxisId leaf : own)
      if (!llvm::is_contained(all, leaf)) all.push_back(leaf);
  }
  return all;
}

void AxisFacts::meet(llvm::ArrayRef<AxisId> some, llvm::ArrayRef<AxisId> others) {
  for (AxisId a : some)
    for (AxisId b : others) {
      if (a == b) {
        whole_[a] = "it meets itself in one value";
        continue;
      }
      multiplies_[a].insert(b);
      multiplies_[b].insert(a);
    }
}

void AxisFacts::meetInValue(llvm::ArrayRef<AxisId> terms) {
  LeafSet seen;
  for (AxisId term : terms) {
    if (term == kNoAxis) continue;
    LeafSet own = meetInTerm(term);
    meet(seen, own);
    seen.append(own.begin(), own.end());
  }
}

void AxisFacts::visit(const Node &node, const IndexTerms &terms) {
  for (const auto &[axis, reason] : terms.whole)
    markWhole(axis, node.op.str() + ": " + reason);
  for (AxisId term : {terms.lookup, terms.scatter, terms.classes})
    if (term != kNoAxis && arena_.kind(arena_.find(term)) != AxisArena::Kind::Leaf)
      markWhole(term, node.op.str() + ": it is a part of what is looked up");
  for (const auto &operand : terms.ins)
    meetInValue(operand);
  meetInIterationSpace(terms);
}

/// Notes that leaves of different dimensions of a node multiply, even if no value has both (the rows of a table and the
/// ids that look them up). The dimension that a slice or concat cuts is exempt.
void AxisFacts::meetInIterationSpace(const IndexTerms &terms) {
  llvm::SmallVector<AxisId, 8> seen;
  for (const auto *lists : {&terms.ins, &terms.outs})
    for (const auto &dims : *lists)
      for (size_t d = 0; d < dims.size(); ++d) {
        if (dims[d] == kNoAxis || int(d) == terms.cutDim || llvm::is_contained(seen, arena_.find(dims[d]))) continue;
        for (AxisId other : seen)
          for (AxisId a : arena_.leaves(dims[d]))
            for (AxisId b : arena_.leaves(other))
              if (arena_.find(a) != arena_.find(b)) meet({arena_.find(a)}, {arena_.find(b)});
        seen.push_back(arena_.find(dims[d]));
      }
}

void AxisFacts::markWhole(AxisId term, const std::string &reason) {
  for (AxisId leaf : arena_.leaves(term))
    whole_.try_emplace(arena_.find(leaf), reason);
}

} // namespace autotp

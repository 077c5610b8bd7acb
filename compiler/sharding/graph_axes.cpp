#include "compiler/sharding/graph_axes.h"

#include "compiler/ops/op_def.h"

namespace autotp {

bool hasTermsPerUse(const Graph &graph, ValueId value) {
  if (graph.value(value).kind == ValueKind::Constant) return true;
  const Node *producer = graph.producer(value);
  return producer && producer->is("full");
}

IndexTerms axesOf(AxisArena &arena, const Graph &graph, const Node &node) {
  const NodeCall own(graph, node);
  const OpDef &row = opOf(node);
  if (row.axisRule) return row.axisRule(arena, own.call());
  return instantiateText(row.axes, arena, own.call().operands, own.call().results);
}

Shape localShape(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, llvm::ArrayRef<int64_t> shape,
                 const Assignment &assignment, int tpRank) {
  Shape local(shape.begin(), shape.end());
  for (size_t d = 0; d < local.size(); ++d)
    if (terms[d] != kNoAxis) local[d] = localSize(arena, terms[d], assignment, tpRank);
  return local;
}

llvm::SmallVector<Cover, 6> coversOf(const AxisArena &arena, llvm::ArrayRef<AxisId> terms,
                                     llvm::ArrayRef<int64_t> shape, const Assignment &assignment, int tpRank) {
  llvm::SmallVector<Cover, 6> covers;
  for (size_t d = 0; d < shape.size(); ++d)
    covers.push_back(terms[d] == kNoAxis ? Cover{Interval{0, shape[d]}} : cover(arena, terms[d], assignment, tpRank));
  return covers;
}

bool isSharded(const AxisArena &arena, llvm::ArrayRef<AxisId> terms, const Assignment &assignment) {
  return llvm::any_of(terms, [&](AxisId term) { return term != kNoAxis && isSharded(arena, term, assignment); });
}

AxisNames::AxisNames(const Graph &graph, const GraphAxes &axes) : axes_(axes) {
  auto name = [&](ValueId id) {
    for (AxisId term : axes.values[id])
      if (term != kNoAxis)
        for (AxisId leaf : axes.arena.leaves(term))
          numbers_.try_emplace(axes.arena.find(leaf), unsigned(numbers_.size()));
  };
  for (ValueKind kind : {ValueKind::Parameter, ValueKind::Input, ValueKind::State})
    for (ValueId id : graph.sources(kind))
      name(id);
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    for (ValueId result : graph.node(id).results)
      name(result);
}

std::string AxisNames::text(ValueId value) const {
  const Terms &terms = axes_.values[value];
  if (terms.empty()) return "";
  std::string all;
  for (AxisId term : terms) {
    all += all.empty() ? " {" : " ";
    all += term == kNoAxis ? "1" : axes_.arena.text(term, [&](AxisId leaf) {
      return "x" + std::to_string(numbers_.lookup(axes_.arena.find(leaf)));
    });
  }
  return all + "}";
}

} // namespace autotp

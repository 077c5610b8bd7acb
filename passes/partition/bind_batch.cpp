#include "passes/partition/bind_batch.h"

#include "compiler/sharding/find_axes.h"
#include "passes/partition/localise.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::Error refuse(int64_t batch, int64_t microBatch, const char *why) {
  return problem("--micro-batch " + std::to_string(microBatch),
                 "the model was exported with a static batch of " + std::to_string(batch) + ", " + why,
                 "export it with a dynamic batch, or leave --micro-batch out");
}

/// Whether some operator needs the axis whole, or a parameter has it.
bool isNeededWhole(const Graph &graph, const GraphAxes &axes, AxisId batch) {
  auto has = [&](AxisId term) { return term != kNoAxis && llvm::is_contained(axes.arena.leaves(term), batch); };
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    for (const auto &[axis, reason] : axes.nodes[id].terms.whole)
      if (has(axis)) return true;
  return llvm::any_of(graph.parameters,
                      [&](const ParameterInfo &p) { return llvm::any_of(axes.values[p.value], has); });
}

} // namespace

llvm::Error bindBatch(Graph &graph, int64_t microBatch) {
  std::vector<ValueId> inputs = graph.sources(ValueKind::Input);
  if (microBatch == 0 || inputs.empty() || graph.type(inputs[0]).shape.empty()) return llvm::Error::success();
  int64_t batch = graph.type(inputs[0]).shape[0];
  if (batch == microBatch) return llvm::Error::success();
  if (batch < microBatch) return refuse(batch, microBatch, "which can be made smaller but not larger");
  GraphAxes axes = findAxes(graph);
  AxisId leaf = axes.values[inputs[0]][0];
  for (ValueId input : inputs)
    if (graph.type(input).shape.empty() || axes.values[input][0] == kNoAxis ||
        axes.arena.find(axes.values[input][0]) != axes.arena.find(leaf))
      return refuse(batch, microBatch, "and its inputs do not share one batch axis");
  leaf = axes.arena.find(leaf);
  if (axes.arena.kind(leaf) != AxisArena::Kind::Leaf)
    return refuse(batch, microBatch, "whose elements the graph tells apart");
  if (isNeededWhole(graph, axes, leaf)) return refuse(batch, microBatch, "which an operator needs whole");
  Assignment assignment;
  assignment.assign(leaf, {Interval{0, microBatch}});
  Reductions none{std::vector<bool>(graph.numValues(), false), std::vector<bool>(graph.numValues(), false)};
  llvm::Expected<LocalProgram> bound = localise({graph, axes, assignment, none, 1, /*shardsInputs=*/true}, 0);
  if (!bound) return bound.takeError();
  graph = std::move(bound->graph);
  return llvm::Error::success();
}

} // namespace autotp

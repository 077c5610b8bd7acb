#include "passes/partition/bind_batch.h"

#include "compiler/sharding/find_axes.h"
#include "passes/partition/batch_growth.h"
#include "passes/partition/localise.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::Error refuse(int64_t batch, int64_t microBatch, const std::string &why) {
  return problem("--micro-batch " + std::to_string(microBatch),
                 "the model was exported with a static batch of " + std::to_string(batch) + ", " + why,
                 "export it with a dynamic batch, or leave --micro-batch out");
}

/// What keeps the axis as it is: an operator that needs all of it, or looks it up; a parameter that has it. "" if nothing
/// does.
std::string whyWhole(const Graph &graph, const GraphAxes &axes, AxisId batch) {
  auto has = [&](AxisId term) { return term != kNoAxis && llvm::is_contained(axes.arena.leaves(term), batch); };
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    const IndexTerms &terms = axes.nodes[id].terms;
    if (has(terms.lookup) || has(terms.scatter)) return "which '" + escaped(node.origin) + "' looks up by its index";
    for (const auto &[axis, reason] : terms.whole)
      if (has(axis)) return "all of which '" + escaped(node.origin) + "' needs";
  }
  for (const ParameterInfo &p : graph.parameters)
    if (llvm::any_of(axes.values[p.value], has))
      return "which parameter '" + escaped(graph.value(p.value).name) + "' has";
  return "";
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
  if (std::string why = whyWhole(graph, axes, leaf); !why.empty()) return refuse(batch, microBatch, why);
  if (const Node *node = shrinkMeans(graph, axes, leaf, double(microBatch) / double(batch)))
    return refuse(batch, microBatch, "over which '" + escaped(node->origin) + "' sums without being a mean");
  Assignment assignment;
  assignment.assign(leaf, {Interval{0, microBatch}});
  Reductions none{std::vector<bool>(graph.numValues(), false), std::vector<bool>(graph.numValues(), false)};
  llvm::Expected<LocalProgram> bound = localise({graph, axes, assignment, none, 1, /*shardsInputs=*/true}, 0);
  if (!bound) return bound.takeError();
  graph = std::move(bound->graph);
  return llvm::Error::success();
}

} // namespace autotp

#include "passes/partition/bind_batch.h"

#include "compiler/ir/loss.h"
#include "compiler/sharding/batch_axis.h"
#include "compiler/sharding/find_axes.h"
#include "compiler/sharding/reshard.h"
#include "passes/partition/localise.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

llvm::Error refuse(int64_t batch, int64_t microBatch, const std::string &why) {
  return problem("--micro-batch " + std::to_string(microBatch),
                 "the model was exported with a static batch of " + std::to_string(batch) + ", " + why,
                 "export it with a dynamic batch, or say --micro-batch " + std::to_string(batch));
}

/// Whether a dimension contains the axis of the batch.
bool isOver(const GraphAxes &axes, AxisId term, AxisId batch) {
  return term != kNoAxis && llvm::is_contained(axes.arena.leaves(term), batch);
}

/// The reason why the axis cannot be divided: an operator needs it whole or looks it up, or a parameter has it. Empty
/// if nothing prevents it.
std::string whyWhole(const Graph &graph, const GraphAxes &axes, AxisId batch) {
  auto has = [&](AxisId term) { return isOver(axes, term, batch); };
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    const IndexTerms &terms = axes.nodes[id].terms;
    if (has(terms.lookup) || has(terms.scatter)) return "which '" + escaped(node.origin) + "' looks up by its index";
    for (AxisId axis : terms.within)
      if (has(axis)) return "all of which '" + escaped(node.origin) + "' needs";
    for (const auto &[axis, reason] : terms.whole)
      if (has(axis)) return "all of which '" + escaped(node.origin) + "' needs";
  }
  for (const ParameterInfo &p : graph.parameters)
    if (llvm::any_of(axes.values[p.value], has))
      return "which parameter '" + escaped(graph.value(p.value).name) + "' has";
  return "";
}

/// Whether operand `k` of a node, a constant, is the same for sample i of the batch as for sample i % microBatch. If
/// so, its first rows are right for every micro-batch.
bool repeats(const Graph &graph, const GraphAxes &axes, const Node &node, NodeId id, unsigned k, const Batch &batch,
             int64_t microBatch) {
  const Value &constant = graph.value(node.operands[k]);
  const auto &terms = axes.nodes[id].terms.ins[k];
  if (!constant.contents || llvm::none_of(terms, [&](AxisId term) { return isOver(axes, term, batch.axis); }))
    return true;
  auto sample = [&](int64_t i) {
    Assignment one;
    one.assign(batch.axis, {Interval{i, i + 1}});
    return partOf(*constant.contents, coversOf(axes.arena, terms, constant.type.shape, one, 0));
  };
  for (int64_t i = microBatch; i < batch.size; ++i)
    if (sample(i).bytes != sample(i % microBatch).bytes) return false;
  return true;
}

/// The reason why samples are not alike to the graph: a constant that differs between them. Empty if there is none.
std::string whySamplesDiffer(const Graph &graph, const GraphAxes &axes, const Batch &batch, int64_t microBatch) {
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    for (unsigned k = 0; k < node.operands.size(); ++k)
      if (graph.value(node.operands[k]).kind == ValueKind::Constant &&
          !repeats(graph, axes, node, id, k, batch, microBatch))
        return "and '" + escaped(node.origin) + "' has a constant that differs from sample to sample: '" +
               escaped(graph.value(node.operands[k]).name) + "'";
  }
  return "";
}

llvm::Error checkMayShrink(const Graph &graph, const GraphAxes &axes, const Batch &batch, int64_t microBatch) {
  if (batch.size < microBatch) return refuse(batch.size, microBatch, "which can be made smaller but not larger");
  for (auto [i, input] : indexed(graph.sources(ValueKind::Input)))
    if (batch.isBatched[i] && (batch.axis == kNoAxis || axes.values[input][0] == kNoAxis ||
                               axes.arena.find(axes.values[input][0]) != batch.axis))
      return refuse(batch.size, microBatch, "and its inputs do not share one batch axis");
  if (axes.arena.kind(batch.axis) != AxisArena::Kind::Leaf)
    return refuse(batch.size, microBatch, "whose elements the graph tells apart");
  std::string why = whyWhole(graph, axes, batch.axis);
  if (why.empty()) why = whySamplesDiffer(graph, axes, batch, microBatch);
  return why.empty() ? llvm::Error::success() : refuse(batch.size, microBatch, why);
}

} // namespace

llvm::Expected<LossTerms> bindBatch(Graph &graph, int64_t microBatch, int64_t microBatches,
                                    const llvm::StringSet<> &withoutBatch) {
  const bool isOneMean = crossEntropyMean(graph, graph.output("loss")).has_value();
  if (isOneMean) microBatches = 1; // differentiate.h makes the mean of one cross-entropy that of the global batch
  std::vector<ValueId> inputs = graph.sources(ValueKind::Input);
  if (llvm::all_of(inputs, [&](ValueId input) { return graph.type(input).shape.empty(); })) return LossTerms();
  if (microBatches > 1) exposeCounts(graph);
  GraphAxes axes = findAxes(graph, Cuts::Dimensions);
  Batch batch = findBatch(graph, axes, withoutBatch);
  const bool isSmaller = microBatch != 0 && microBatch != batch.size && llvm::is_contained(batch.isBatched, true);
  if (!isSmaller && microBatches == 1) return LossTerms();
  if (isSmaller)
    if (llvm::Error error = checkMayShrink(graph, axes, batch, microBatch)) return error;
  if (isSmaller && microBatches == 1 && !isOneMean) {
    exposeCounts(graph);
    axes = findAxes(graph, Cuts::Dimensions);
    batch = findBatch(graph, axes, withoutBatch);
  }
  const double share = isSmaller ? double(microBatch) / double(batch.size) : 1;
  llvm::SmallVector<AxisId> leaves;
  if (batch.axis != kNoAxis) leaves = axes.arena.leaves(batch.axis);
  llvm::Expected<LossTerms> terms = makeLossGlobal(graph, axes, leaves, {microBatches, share});
  if (!terms || !isSmaller) return terms;
  axes = findAxes(graph, Cuts::Dimensions); // again, since makeLossGlobal added nodes
  Assignment assignment;
  assignment.assign(findBatch(graph, axes, withoutBatch).axis, {Interval{0, microBatch}});
  Reductions none{std::vector<bool>(graph.numValues(), false), std::vector<bool>(graph.numValues(), false)};
  llvm::Expected<LocalProgram> bound = localise({graph, axes, assignment, none, 1, /*shardsInputs=*/true}, 0);
  if (!bound) return bound.takeError();
  graph = std::move(bound->graph);
  return terms;
}

} // namespace autotp

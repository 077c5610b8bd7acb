#include "passes/train/batch_statistics.h"

#include "compiler/ir/loss.h"
#include "compiler/ops/collectives.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {
namespace {

/// Copies only the nodes that some outputs need, since the graph of a micro-step has all weights.
class Slice {
public:
  Slice(const Graph &from, llvm::ArrayRef<Output> outputs) : from_(from), needed_(from.numValues(), false) {
    for (const Output &output : outputs)
      needed_[output.value] = true;
    const std::vector<NodeId> order = from.order();
    for (NodeId id : llvm::reverse(order))
      if (llvm::any_of(from.node(id).results, [&](ValueId v) { return needed_[v]; }))
        for (ValueId operand : from.node(id).operands)
          needed_[operand] = true;
    for (NodeId id : order)
      if (llvm::any_of(from.node(id).results, [&](ValueId v) { return needed_[v]; })) copy(id);
    for (const Output &output : outputs)
      to_.outputs.push_back({output.name, valueOf(output.value)});
  }

  Graph take() { return std::move(to_); }

private:
  void copy(NodeId id) {
    llvm::SmallVector<ValueId, 4> operands;
    for (ValueId operand : from_.node(id).operands)
      operands.push_back(valueOf(operand));
    const NodeId made = to_.addCopy(from_, id, operands);
    for (size_t j = 0; j < from_.node(id).results.size(); ++j)
      values_[from_.node(id).results[j]] = to_.node(made).results[j];
  }

  ValueId valueOf(ValueId v) {
    auto [at, isNew] = values_.try_emplace(v, kNone);
    if (!isNew) return at->second;
    const Value &source = from_.value(v); // all results are copied before they are read, so this is a source
    const ValueId made = source.kind == ValueKind::Input ? to_.addInput(source.name, source.type)
                                                         : to_.addConstant(source.name, *source.contents);
    return values_[v] = made;
  }

  const Graph &from_;
  std::vector<bool> needed_;
  Graph to_;
  llvm::DenseMap<ValueId, ValueId> values_; // only looked up
};

/// Moves the batch statistics into a graph of their own. If there are none, it has no outputs.
Graph taken(Graph &microStep) {
  std::vector<Output> statistics;
  llvm::copy_if(microStep.outputs, std::back_inserter(statistics),
                [](const Output &output) { return isBatchStatistic(output.name); });
  if (statistics.empty()) return {};
  Graph graph = Slice(microStep, statistics).take();
  llvm::erase_if(microStep.outputs, [](const Output &output) { return isBatchStatistic(output.name); });
  microStep.removeDead([](const Node &node) { return opOf(node).isCollective; });
  return graph;
}

/// Adds a state of zeros for the statistic, which micro_step reads.
unsigned addState(RankProgram &program, const std::string &name, const Type &type) {
  const auto state = unsigned(program.states.size());
  program.states.push_back({name, "gradients", type, /*isZeroedEachStep=*/true});
  program.states.back().initial.assign(sizeOf(type.dtype), 0); // so that the plan lists the state
  const Graph &microStep = program.microStep.graph;
  for (ValueId read : microStep.sources(ValueKind::State))
    if (microStep.value(read).name == name) program.microStep.stateSlices[read] = {state};
  return state;
}

} // namespace

void addBatchStatistics(RankProgram &program, int dp) {
  Graph graph = taken(program.microStep.graph);
  if (graph.outputs.empty()) return;
  const std::vector<Output> statistics = std::exchange(graph.outputs, {});
  Section &section = program.batchStatistics.emplace();
  section.name = "batch_statistics";
  section.graph = std::move(graph);
  Graph &g = section.graph;
  for (const Output &statistic : statistics) {
    const Node *producer = g.producer(statistic.value);
    Builder b(g);
    b.origin = producer ? producer->origin : "loss";
    const unsigned state = addState(program, statistic.name, g.type(statistic.value));
    const ValueId before = g.addState(statistic.name, g.type(statistic.value)),
                  after = b.make("accumulate", {before, allReduce(b, statistic.value, everyRank(plan::DP, dp))});
    section.stateSlices[before] = section.stateSlices[after] = {state};
    g.outputs.push_back({"state:" + statistic.name, after});
  }
}

} // namespace autotp

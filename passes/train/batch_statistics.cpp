#include "passes/train/batch_statistics.h"

#include "compiler/ir/loss.h"
#include "compiler/ops/collectives.h"
#include "passes/train/graph_slice.h"

namespace autotp {
namespace {

/// Moves the batch statistics into a graph of their own. If there are none, it has no outputs.
Graph taken(Graph &microStep) {
  std::vector<Output> statistics;
  llvm::copy_if(microStep.outputs, std::back_inserter(statistics),
                [](const Output &output) { return isBatchStatistic(output.name); });
  if (statistics.empty()) return {};
  Graph graph = sliceOf(microStep, statistics).graph;
  llvm::erase_if(microStep.outputs, [](const Output &output) { return isBatchStatistic(output.name); });
  microStep.removeDead([](const Node &node) { return opOf(node).isCollective; });
  return graph;
}

/// Adds a state of zeros for the statistic, which micro_step reads.
unsigned addState(RankProgram &program, const std::string &name, const Type &type) {
  const auto state = unsigned(program.states.size());
  program.states.push_back({name, "sums", type, /*isZeroedEachStep=*/true});
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

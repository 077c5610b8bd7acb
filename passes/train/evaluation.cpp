#include "passes/train/evaluation.h"

#include "compiler/ops/collectives.h"
#include "passes/train/graph_slice.h"

namespace autotp {
namespace {

/// A collective over tp is one of all tp ranks, also of one whose own sums do not need it: its part may be empty.
bool isShared(const Node &node) { return opOf(node).isCollective && meshAxisOf(node) == plan::TP && !node.backward; }

} // namespace

void addEvaluation(RankProgram &program) {
  const Section &microStep = program.microStep;
  std::vector<Output> sums;
  llvm::copy_if(microStep.graph.outputs, std::back_inserter(sums),
                [](const Output &output) { return output.name == "state:loss_sum" || output.name == "state:count"; });
  GraphSlice slice = sliceOf(microStep.graph, sums,
                             {.keeps = isShared, .bypasses = [](const Node &node) { return node.is("dropout"); }});
  Section &section = program.evaluate.emplace();
  section.name = "evaluate";
  section.graph = std::move(slice.graph);
  for (const auto &[value, lies] : microStep.stateSlices)
    if (auto made = slice.values.find(value); made != slice.values.end()) section.stateSlices[made->second] = lies;
  for (const Output &sum : std::vector<Output>(section.graph.outputs))
    section.graph.outputs.push_back({llvm::StringRef(sum.name).drop_front(strlen("state:")).str(), sum.value});
}

} // namespace autotp

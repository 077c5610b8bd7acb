#include "passes/train/objective.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ir/loss.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {

ValueId countOfOne(Graph &graph, ValueId loss) {
  Builder b(graph);
  b.origin = "loss";
  return b.full(graph.type(loss), 1);
}

llvm::Error bindOutputs(Graph &graph, Objective &objective, ValueId sum, ValueId count,
                        llvm::function_ref<ValueId(ValueId parameter)> gradientOf, llvm::StringRef whyNone,
                        llvm::StringRef noneAtAll) {
  std::vector<Output> outputs = {{"loss_sum", sum}, {"count", count}};
  llvm::copy_if(graph.outputs, std::back_inserter(outputs),
                [](const Output &output) { return isBatchStatistic(output.name); });
  std::vector<ParameterInfo> trained;
  for (ParameterInfo &parameter : graph.parameters) {
    const std::string name = graph.value(parameter.value).name;
    if (const ValueId gradient = gradientOf(parameter.value); gradient != kNone) {
      outputs.push_back({gradientName(name), gradient});
      trained.push_back(std::move(parameter));
      continue;
    }
    objective.untrained.push_back(name);
    if (!graph.value(parameter.value).contents)
      return problem("parameter '" + escaped(name) + "'", (whyNone + ", and its file holds no contents for it").str(),
                     "export the model without it, or with its contents");
    graph.setKind(parameter.value, ValueKind::Constant);
  }
  if (trained.empty()) return problem("model", noneAtAll.str());
  graph.outputs = std::move(outputs);
  graph.parameters = std::move(trained);
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

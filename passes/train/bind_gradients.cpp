#include "passes/train/bind_gradients.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ir/loss.h"
#include "compiler/ops/op_def.h"

namespace autotp {
namespace {

/// Whether a value is only read as the incoming gradient of cross-entropies.
bool onlyArrives(const Graph &graph, ValueId value) {
  return !graph.isOutput(value) && llvm::all_of(graph.value(value).uses, [&](Use use) {
    return graph.node(use.node).is("cross_entropy_grad") && use.operand == 3;
  });
}

/// Replaces every seed / count by seed. If `count` is also read in another way, returns false and changes nothing.
bool seedTheSum(Graph &graph, ValueId count, const Node *mean) {
  llvm::SmallVector<NodeId, 1> seeds;
  for (Use use : graph.value(count).uses) {
    const Node &node = graph.node(use.node);
    if (&node == mean) continue;
    const bool isSeed = node.is("reciprocal") || (node.is("div") && use.operand == 1 &&
                                                  graph.value(node.operands[0]).kind == ValueKind::Constant);
    if (!isSeed || !onlyArrives(graph, node.results[0])) return false;
    seeds.push_back(use.node);
  }
  for (NodeId id : seeds) {
    const Node node = graph.node(id);
    const ValueId seed =
        node.is("div") ? node.operands[0] : graph.addConstant("seed", scalarTensor(graph.type(count).dtype, 1));
    graph.replaceAllUses(node.results[0], seed);
    graph.erase(id);
  }
  return true;
}

} // namespace

llvm::Expected<Objective> bindGradients(Graph &graph) {
  Objective objective{LossKind::Mean};
  const ValueId loss = graph.output("loss");
  std::optional<CrossEntropyMean> mean = crossEntropyMean(graph, loss);
  if (mean && !seedTheSum(graph, mean->count, graph.producer(loss))) mean.reset();
  if (mean) objective.kind = LossKind::CrossEntropySum;
  const ValueId sum = mean ? mean->sum : loss, count = mean ? mean->count : countOfOne(graph, loss);
  auto gradientOf = [outputs = graph.outputs, &graph](ValueId parameter) {
    const std::string wanted = gradientName(graph.value(parameter).name);
    const auto at = llvm::find_if(outputs, [&](const Output &output) { return output.name == wanted; });
    return at == outputs.end() ? kNone : at->value;
  };
  if (llvm::Error error = bindOutputs(graph, objective, sum, count, gradientOf, "the model brings no gradient of it",
                                      "it brings no gradient of a parameter"))
    return error;
  return objective;
}

} // namespace autotp

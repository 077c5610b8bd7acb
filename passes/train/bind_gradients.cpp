#include "passes/train/bind_gradients.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// Whether a value is read by gradients of cross-entropies alone, as what arrives there.
bool onlyArrives(const Graph &graph, ValueId value) {
  return !graph.isOutput(value) && llvm::all_of(graph.value(value).uses, [&](Use use) {
    return graph.node(use.node).is("cross_entropy_grad") && use.operand == 3;
  });
}

/// Takes `count` out of every seed / count; false, and nothing is changed, where it is read in another way as well.
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
  ValueId sum = loss, count = kNone;
  const Node *mean = graph.producer(loss);
  if (mean && mean->is("div")) {
    const Node *entropy = graph.producer(mean->operands[0]);
    const bool isMean = entropy && entropy->is("cross_entropy") && entropy->results[0] == mean->operands[0] &&
                        entropy->results[1] == mean->operands[1];
    const ValueId ofLabels = mean->operands[1], ofLosses = mean->operands[0];
    if (isMean && seedTheSum(graph, ofLabels, mean)) {
      objective.kind = LossKind::CrossEntropySum;
      sum = ofLosses;
      count = ofLabels;
    }
  }
  if (count == kNone) {
    Builder b(graph);
    b.origin = "loss";
    count = b.full(graph.type(loss), 1);
  }
  std::vector<Output> outputs = {{"loss_sum", sum}, {"count", count}};
  std::vector<ParameterInfo> trained;
  for (ParameterInfo &parameter : graph.parameters) {
    const std::string name = graph.value(parameter.value).name;
    auto gradient = llvm::find_if(graph.outputs, [&](const Output &o) { return o.name == gradientName(name); });
    if (gradient != graph.outputs.end()) {
      outputs.push_back(*gradient);
      trained.push_back(std::move(parameter));
      continue;
    }
    objective.untrained.push_back(name);
    if (!graph.value(parameter.value).contents)
      return problem("parameter '" + escaped(name) + "'",
                     "the model brings no gradient of it, and its file holds no contents for it",
                     "export the model without it, or with its contents");
    graph.setKind(parameter.value, ValueKind::Constant);
  }
  if (trained.empty()) return problem("model", "it brings no gradient of a parameter");
  graph.outputs = std::move(outputs);
  graph.parameters = std::move(trained);
  graph.removeDead();
  return objective;
}

} // namespace autotp

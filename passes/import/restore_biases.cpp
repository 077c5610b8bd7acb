#include "passes/import/restore_biases.h"

#include "compiler/ops/op_def.h"
#include "passes/import/program_sources.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// The value that a call's bias is added to: its last result whose last dimension are the product's columns. A
/// convolution only turns them to the front after that.
ValueId biased(const Graph &graph, const DroppedBias &dropped) {
  int64_t columns = -1;
  ValueId found = kNone;
  for (NodeId id : dropped.nodes) {
    const Node &node = graph.node(id);
    const Shape &shape = graph.type(node.results[0]).shape;
    if (node.is("matmul")) columns = shape.back();
    const bool isTurned = found != kNone && node.is("transpose");
    if (columns >= 0 && !shape.empty() && shape.back() == columns && !isTurned) found = node.results[0];
  }
  return found;
}

} // namespace

llvm::Error restoreBiases(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored) {
  const SourceNames names(facts);
  llvm::StringMap<ValueId> known; // biases by placeholder: a layer that is called twice has one; looked up only
  for (ValueId id : graph.sources(ValueKind::Parameter))
    if (auto said = facts.tensors.find(graph.value(id).name); said != facts.tensors.end() && said->second.kind)
      known[said->second.placeholder] = id;
  llvm::Error errors = llvm::Error::success();
  for (const DroppedBias &dropped : nameUses(graph, facts).dropped) {
    const ProgramCall &call = facts.calls[dropped.call];
    const ValueId product = biased(graph, dropped);
    if (product == kNone) {
      errors = llvm::joinErrors(std::move(errors),
                                problem("bias '" + escaped(names.nameOf(dropped.placeholder, call)) + "'",
                                        "the exporter dropped it, and its product '" + call.result + "' is not found",
                                        "export the model with optimize=False"));
      continue;
    }
    auto [at, isNew] = known.try_emplace(dropped.placeholder, kNone);
    if (isNew) {
      const Type type{graph.type(product).dtype, {graph.type(product).shape.back()}};
      at->second = graph.addParameter(names.nameOf(dropped.placeholder, call), type, filledTensor(type, 0));
      const std::string &name = graph.value(at->second).name;
      facts.tensors[name] = {TensorKind::Parameter, dropped.placeholder, {}};
      restored.push_back(name);
    }
    const NodeId producer = graph.value(product).producer;
    Builder builder(graph, graph.node(producer).next);
    builder.origin = graph.node(producer).origin;
    const llvm::SmallVector<Use, 2> uses = graph.value(product).uses;
    const ValueId sum = builder.make("add", {product, at->second});
    for (Use use : uses)
      graph.setOperand(use.node, use.operand, sum);
    for (Output &output : graph.outputs)
      if (output.value == product) output.value = sum;
  }
  return errors;
}

} // namespace autotp

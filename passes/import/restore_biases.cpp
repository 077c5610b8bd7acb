#include "passes/import/restore_biases.h"

#include "compiler/ops/op_def.h"
#include "passes/import/program_sources.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// The value to which a bias is added, along its last dimension or along its second one (channels).
struct Biased {
  ValueId value = kNone;
  bool isOfChannels = false;
};

/// Whether a transpose moves the last dimension to the front, behind the samples.
bool turnsToChannels(const Node &node) {
  if (!node.is("transpose")) return false;
  const auto &perm = node.attributes.integers("perm");
  return perm.size() > 2 && perm[0] == 0 && perm[1] == int64_t(perm.size()) - 1;
}

/// The last result of the nodes whose last dimension is the columns of the product.
Biased ofProduct(const Graph &graph, llvm::ArrayRef<NodeId> nodes) {
  int64_t columns = -1;
  Biased found;
  for (NodeId id : nodes) {
    const Node &node = graph.node(id);
    const Shape &shape = graph.type(node.results[0]).shape;
    if (node.is("matmul")) columns = shape.back();
    if (columns >= 0 && !shape.empty() && shape.back() == columns) found.value = node.results[0];
  }
  return found;
}

/// The value that a transpose moves to [n, channels, ..] behind the product; otherwise the last result, whose second
/// dimension is the channels.
Biased ofConvolution(const Graph &graph, llvm::ArrayRef<NodeId> nodes) {
  auto product = llvm::find_if(nodes, [&](NodeId id) { return graph.node(id).is("matmul"); });
  if (product == nodes.end()) return {};
  for (NodeId id : llvm::make_range(product, nodes.end()))
    if (const Node &node = graph.node(id); turnsToChannels(node)) return {node.operands[0]};
  const ValueId result = graph.node(nodes.back()).results[0];
  return graph.type(result).shape.size() < 3 ? Biased() : Biased{result, /*isOfChannels=*/true};
}

Biased biased(const Graph &graph, const DroppedBias &dropped, llvm::StringRef target) {
  const bool isConvolution = target.startswith("aten.conv");
  return isConvolution ? ofConvolution(graph, dropped.nodes) : ofProduct(graph, dropped.nodes);
}

} // namespace

llvm::Error restoreBiases(Graph &graph, ExporterFacts &facts, std::vector<std::string> &restored) {
  const SourceNames names(facts);
  llvm::StringMap<ValueId> known; // biases by placeholder, since a layer that is called twice has one; only looked up
  for (ValueId id : graph.sources(ValueKind::Parameter))
    if (auto said = facts.tensors.find(graph.value(id).name); said != facts.tensors.end() && said->second.kind)
      known[said->second.placeholder] = id;
  llvm::Error errors = llvm::Error::success();
  for (const DroppedBias &dropped : nameUses(graph, facts).dropped) {
    const ProgramCall &call = facts.calls[dropped.call];
    const Biased place = biased(graph, dropped, call.target);
    const ValueId product = place.value;
    if (product == kNone) {
      errors = llvm::joinErrors(std::move(errors),
                                problem("bias '" + escaped(names.nameOf(dropped.placeholder, call)) + "'",
                                        "the exporter dropped it, and its product '" + call.result + "' is not found",
                                        "export the model with optimize=False"));
      continue;
    }
    const Type whole = graph.type(product);
    auto [at, isNew] = known.try_emplace(dropped.placeholder, kNone);
    if (isNew) {
      const Type type{whole.dtype, {place.isOfChannels ? whole.shape[1] : whole.shape.back()}};
      at->second = graph.addParameter(names.nameOf(dropped.placeholder, call), type, filledTensor(type, 0));
      const std::string &name = graph.value(at->second).name;
      facts.tensors[name] = {TensorKind::Parameter, dropped.placeholder, {}};
      restored.push_back(name);
    }
    const NodeId producer = graph.value(product).producer;
    Builder builder(graph, graph.node(producer).next);
    builder.origin = graph.node(producer).origin;
    const llvm::SmallVector<Use, 2> uses = graph.value(product).uses;
    ValueId bias = at->second;
    if (place.isOfChannels) {
      Shape shape(whole.shape.size() - 1, 1);
      shape[0] = whole.shape[1];
      bias = builder.makeTyped("reshape", {bias}, Type{whole.dtype, shape});
    }
    const ValueId sum = builder.make("add", {product, bias});
    for (Use use : uses)
      graph.setOperand(use.node, use.operand, sum);
    for (Output &output : graph.outputs)
      if (output.value == product) output.value = sum;
  }
  return errors;
}

} // namespace autotp

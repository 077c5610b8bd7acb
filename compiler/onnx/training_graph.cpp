#include "compiler/onnx/training_graph.h"

#include "compiler/onnx/training_info.h"

namespace autotp {

llvm::Error TrainingGraph::readNames() {
  for (const auto &initializer : algorithm().initializer())
    initializers[initializer.name()] = &initializer;
  for (const auto &initializer : importer_.proto().graph().initializer())
    initializers.try_emplace(initializer.name(), &initializer);
  for (const onnx::NodeProto &node : algorithm().node())
    for (const std::string &output : node.output())
      producers[output] = &node;
  for (const auto &entry : info().update_binding()) {
    if (!initializers.count(entry.key()))
      return problem("update_binding of '" + escaped(entry.key()) + "'", "there is no such initializer");
    if (!next.try_emplace(entry.key(), entry.value()).second)
      return problem("update_binding of '" + escaped(entry.key()) + "'", "it is there twice");
  }
  return llvm::Error::success();
}

llvm::Error TrainingGraph::initialise() {
  Importer graph = importer_.another();
  for (const auto &initializer : info().initialization().initializer())
    if (llvm::Error error = graph.addInitializer(initializer)) return error;
  if (llvm::Error error = graph.addNodes(info().initialization().node())) return error;
  for (const auto &entry : info().initialization_binding()) {
    const std::string where = "initialization_binding of '" + escaped(entry.key()) + "'";
    auto value = graph.scope.find(entry.value());
    if (!value || !initializers.count(entry.key()))
      return problem(where, "there is no such initializer, or nothing computes its value");
    const Value &computed = graph.model.graph.value(*value);
    if (!computed.contents)
      return problem(where, "its initial value is not known when compiling", "store it as an initializer");
    initial[entry.key()] = *computed.contents;
    auto own = importer_.scope.find(entry.key());
    if (!own) continue; // it belongs to the training graph
    Value &initialised = importer_.model.graph.value(*own);
    if (!(initialised.type == computed.type))
      return problem(where, "it is " + computed.type.text() + ", not " + initialised.type.text());
    if (initialised.kind == ValueKind::Parameter) initialised.contents = computed.contents;
  }
  return llvm::Error::success();
}

llvm::Expected<Tensor> TrainingGraph::initialOf(const std::string &name) const {
  if (auto at = initial.find(name); at != initial.end()) return at->second;
  llvm::Expected<Tensor> tensor = readTensor(*initializers.lookup(name), importer_.folder());
  if (!tensor) return placed("tensor '" + escaped(name) + "'", tensor.takeError());
  return tensor;
}

llvm::Error TrainingGraph::collect(const std::string &name, Wanted &nodes, Wanted &begins) const {
  std::vector<std::string> open = {name};
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    const onnx::NodeProto *node = producers.lookup(next);
    if (!node) {
      if (!next.empty()) begins[next] = true;
      continue;
    }
    if (isTrainingOperator(*node))
      return problem("value '" + escaped(name) + "'", "it depends on " + whereOf(*node),
                     "no loss and no learning rate may");
    if (nodes.try_emplace(node->output(0), true).second)
      open.insert(open.end(), node->input().begin(), node->input().end());
  }
  return llvm::Error::success();
}

Importer::Nodes TrainingGraph::inOrder(const Wanted &wanted) const {
  Importer::Nodes nodes;
  for (const onnx::NodeProto &node : algorithm().node())
    if (node.output_size() && wanted.count(node.output(0))) *nodes.Add() = node;
  return nodes;
}

bool TrainingGraph::isScalar(const onnx::TensorProto &tensor) {
  return llvm::all_of(tensor.dims(), [](int64_t size) { return size == 1; });
}

} // namespace autotp

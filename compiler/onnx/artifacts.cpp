#include "compiler/onnx/artifacts.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/onnx/checkpoint.h"
#include "compiler/onnx/import_options.h"
#include "runtime/base/digest.h"
#include "runtime/base/indexed.h"
#include "runtime/base/input_file.h"

namespace autotp {
namespace {

constexpr llvm::StringLiteral kAccumulated = "_grad.accumulation.buffer"; ///< suffix to the name of a parameter

/// Reads a model of the folder, and appends its digest to `digests`.
llvm::Error readModel(const std::string &path, onnx::ModelProto &proto, std::string &digests) {
  auto file =
      mapFile(escaped(path), path, "the folder must be one that onnxruntime-training's generate_artifacts wrote");
  if (!file) return file.takeError();
  digests += digestOf((*file)->getBuffer());
  return parseModel(path, (*file)->getBuffer(), proto);
}

class TrainingModel {
public:
  /// Removes the nodes that accumulate gradients from `proto`, since our sections accumulate.
  TrainingModel(onnx::ModelProto &proto, llvm::StringRef path, const ImportOptions &options)
      : graph_(proto.graph()), importer_(proto, path, options) {
    Importer::Nodes computing;
    for (onnx::NodeProto &node : *proto.mutable_graph()->mutable_node())
      (isAccumulation(node) ? accumulations_ : computing).Add()->Swap(&node);
    proto.mutable_graph()->mutable_node()->Swap(&computing);
  }

  llvm::Expected<ImportedModel> run(std::vector<CheckpointTensor> checkpoint) {
    if (llvm::Error error = importer_.check()) return error;
    if (llvm::Error error = addParameters(std::move(checkpoint))) return error;
    if (llvm::Error error = importer_.addInitializers()) return error;
    if (llvm::Error error = addUserInputs()) return error;
    if (llvm::Error error = importer_.addNodes(graph_.node())) return error;
    if (llvm::Error error = addOutputs()) return error;
    forgetModulesOfGradients();
    importer_.model.hasGradients = true;
    return std::move(importer_.model);
  }

private:
  static bool isAccumulation(const onnx::NodeProto &node) {
    return node.domain() == "com.microsoft" && node.op_type() == "InPlaceAccumulatorV2";
  }

  bool isInput(llvm::StringRef name) const {
    return llvm::any_of(graph_.input(), [&](const auto &input) { return input.name() == name; });
  }

  llvm::Error addParameters(std::vector<CheckpointTensor> checkpoint) {
    for (CheckpointTensor &entry : checkpoint) {
      if (!isInput(entry.name)) continue; // it was optimised away
      const Type type = entry.tensor.type;
      const ValueId value = importer_.model.graph.addParameter(entry.name, type, std::move(entry.tensor));
      if (llvm::Error error = importer_.scope.define(entry.name, value)) return error;
      importer_.model.initializers.push_back(value);
      if (entry.isTrained) trained_.push_back(value);
    }
    return llvm::Error::success();
  }

  /// Adds the inputs that are neither parameters nor operands of accumulation.
  llvm::Error addUserInputs() {
    llvm::StringMap<bool> accumulating;
    for (const onnx::NodeProto &node : accumulations_)
      for (const std::string &operand : node.input())
        accumulating[operand] = true;
    Importer::Inputs inputs;
    for (const auto &input : graph_.input())
      if (!accumulating.count(input.name())) *inputs.Add() = input;
    return importer_.addInputs(inputs);
  }

  /// Drops module names that come from nodes such as "/fc3/Gemm_Grad/..", since the forward node gives a better one.
  void forgetModulesOfGradients() {
    llvm::StringMap<std::string> kept;
    for (const auto &entry : importer_.model.moduleNames) // into another map, so that the order does not matter
      if (!llvm::StringRef(entry.second).contains("_Grad.")) kept[entry.first()] = entry.second;
    importer_.model.moduleNames = std::move(kept);
  }

  llvm::Error addOutputs() {
    Graph &graph = importer_.model.graph;
    llvm::SmallVector<ValueId, 1> losses;
    for (const auto &output : graph_.output())
      if (auto value = importer_.scope.find(output.name());
          value && isFloat(graph.type(*value).dtype) && graph.type(*value).elements() == 1)
        losses.push_back(*value);
    if (losses.size() != 1)
      return problem(importer_.path(),
                     losses.empty() ? "none of its outputs is a scalar loss" : "it has several losses",
                     "generate its artifacts with one loss");
    Builder b(graph);
    b.origin = "loss";
    graph.outputs = {{"loss", b.reshape(losses[0], {})}};
    for (ValueId parameter : trained_) {
      const std::string &name = graph.value(parameter).name;
      auto gradient = gradientOf(name);
      if (!gradient) return gradient.takeError();
      graph.outputs.push_back({gradientName(name), *gradient});
    }
    return llvm::Error::success();
  }

  llvm::Expected<ValueId> gradientOf(const std::string &parameter) const {
    const Graph &graph = importer_.model.graph;
    for (const onnx::NodeProto &node : accumulations_) {
      if (node.input_size() < 2 || node.input(0) != parameter + kAccumulated.str()) continue;
      auto value = importer_.scope.find(node.input(1));
      if (!value) return problem(whereOf(node), "nothing computes '" + escaped(node.input(1)) + "'");
      const Type &type = graph.type(*importer_.scope.find(parameter));
      if (graph.type(*value) == type) return *value;
      return problem(whereOf(node), "the gradient is " + graph.type(*value).text() + ", its parameter " + type.text());
    }
    return problem("parameter '" + escaped(parameter) + "'", "the training graph accumulates no gradient for it",
                   "generate its artifacts anew, with it among requires_grad");
  }

  const onnx::GraphProto &graph_;
  Importer importer_;
  Importer::Nodes accumulations_;
  std::vector<ValueId> trained_;
};

double realOf(const onnx::NodeProto &node, llvm::StringRef name, double otherwise) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return attribute.type() == onnx::AttributeProto::INT ? double(attribute.i()) : attribute.f();
  return otherwise;
}

/// onnxruntime's AdamW. adam_mode 0 is torch's; in mode 1 epsilon is added to the root without bias correction, and the
/// decay comes last.
UpdateRule adamOf(const onnx::NodeProto &node) {
  const bool isTorchs = realOf(node, "adam_mode", 0) == 0;
  UpdateRule rule;
  rule.op = "adam";
  rule.initial = {0, 0};
  rule.attributes = {{"beta1", realOf(node, "alpha", 0.9f)},
                     {"beta2", realOf(node, "beta", 0.999f)},
                     {"corrects_root", int64_t(isTorchs)},
                     {"epsilon", realOf(node, "epsilon", 1e-8f)}};
  rule.attributes.set(isTorchs ? "decay_before" : "decay_after", realOf(node, "weight_decay", 1e-2f));
  rule.count = realOf(node, "correct_bias", 1) != 0 ? "step" : "never";
  return rule;
}

llvm::Expected<Updates> updatesOf(const onnx::ModelProto &proto, const std::string &path) {
  Updates updates;
  for (const onnx::NodeProto &node : proto.graph().node()) {
    if (node.op_type() == "InplaceClipGradNorm") {
      updates.clipGradNorm = realOf(node, "max_norm", 1);
    } else if (node.op_type() == "AdamWOptimizer" && updates.rules.empty()) {
      updates.rules = {adamOf(node)};
    } else if (node.op_type() == "SGDOptimizerV2" && updates.rules.empty()) {
      updates.rules.emplace_back();
      updates.rules[0].op = "sgd";
      updates.rules[0].count = "step";
    } else {
      return problem(whereOf(node), "this is no optimizer that can be run",
                     "generate the artifacts with AdamW or SGD, and gradient clipping by norm");
    }
  }
  if (updates.rules.empty()) return problem(path, "it holds no optimizer");
  updates.rules[0].rate = "learning_rate";
  const Type scalar{DType::F32, {}};
  for (const char *name : {"learning_rate", "step"})
    updates.schedule.outputs.push_back({name, updates.schedule.addInput(name, scalar)});
  if (updates.rules[0].count == "never") // no bias is corrected
    updates.schedule.outputs.push_back({"never", updates.schedule.addConstant("never", scalarTensor(DType::F32, 0))});
  return updates;
}

} // namespace

llvm::Expected<ImportedModel> importArtifacts(llvm::StringRef folder, const ImportOptions &options) {
  const std::string base = folder.rtrim('/').str() + "/", path = base + "training_model.onnx";
  onnx::ModelProto training, optimizer;
  std::string digests;
  if (llvm::Error error = readModel(path, training, digests)) return error;
  if (llvm::Error error = readModel(base + "optimizer_model.onnx", optimizer, digests)) return error;
  llvm::Expected<std::vector<CheckpointTensor>> checkpoint = readCheckpoint(base + "checkpoint");
  if (!checkpoint) return checkpoint.takeError();
  for (const CheckpointTensor &tensor : *checkpoint)
    digests += digestOf(llvm::toStringRef(tensor.tensor.bytes));
  llvm::Expected<Updates> updates = updatesOf(optimizer, base + "optimizer_model.onnx");
  if (!updates) return updates.takeError();
  for (const CheckpointTensor &tensor : *checkpoint)
    if (tensor.isTrained) updates->parameters[tensor.name] = {0, true};
  llvm::Expected<ImportedModel> model = TrainingModel(training, path, options).run(std::move(*checkpoint));
  if (!model) return model.takeError();
  model->updates = std::move(*updates);
  model->digest = digestOf(digests);
  return model;
}

} // namespace autotp

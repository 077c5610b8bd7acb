#include "compiler/onnx/replace_weights.h"

#include "compiler/onnx/importer.h"
#include "compiler/onnx/write_model.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace autotp {
namespace {

/// The tensors of a model by the names of the values that they are.
class Tensors {
public:
  explicit Tensors(onnx::GraphProto &graph) : graph_(graph) {
    for (onnx::TensorProto &tensor : *graph.mutable_initializer())
      byName_[tensor.name()] = &tensor;
    for (onnx::NodeProto &node : *graph.mutable_node()) {
      if (node.op_type() == "Identity" && node.input_size() == 1 && node.output_size() == 1)
        copies_[node.output(0)] = node.input(0);
      if (node.op_type() != "Constant" || node.output_size() != 1) continue;
      for (onnx::AttributeProto &attribute : *node.mutable_attribute())
        if (attribute.name() == "value" && attribute.has_t()) byName_[node.output(0)] = attribute.mutable_t();
    }
  }

  /// Copies of copies as well, but not in a circle.
  const onnx::TensorProto *find(llvm::StringRef name) const {
    for (size_t steps = 0; steps <= copies_.size(); ++steps) {
      const auto copied = copies_.find(name);
      if (copied == copies_.end()) return byName_.lookup(name);
      name = copied->second;
    }
    return nullptr;
  }

  /// The tensor of that name alone: a copy becomes an initializer.
  onnx::TensorProto &own(llvm::StringRef name) {
    if (!copies_.count(name)) return *byName_.lookup(name);
    onnx::TensorProto added = *find(name);
    added.set_name(name.str());
    auto &nodes = *graph_.mutable_node();
    nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                               [&](const onnx::NodeProto &node) {
                                 return node.op_type() == "Identity" && node.output_size() == 1 &&
                                        node.output(0) == name;
                               }),
                nodes.end());
    onnx::TensorProto &tensor = *graph_.add_initializer();
    tensor = std::move(added);
    return tensor;
  }

private:
  onnx::GraphProto &graph_;
  llvm::StringMap<onnx::TensorProto *> byName_;
  llvm::StringMap<std::string> copies_; ///< what an Identity node copies, by its result
};

llvm::Error checkWeights(const std::string &path, const Tensors &tensors, llvm::ArrayRef<ReplacedWeight> weights) {
  llvm::Error errors = llvm::Error::success();
  for (const ReplacedWeight &weight : weights) {
    const onnx::TensorProto *tensor = tensors.find(weight.name);
    llvm::Expected<Type> type = tensor ? typeOf(*tensor) : Type{DType::F32, {weight.shape.begin(), weight.shape.end()}};
    if (!type) {
      errors = llvm::joinErrors(std::move(errors), placed("tensor '" + escaped(weight.name) + "'", type.takeError()));
      continue;
    }
    const bool fits = isFloat(type->dtype) && llvm::equal(type->shape, weight.shape);
    if (tensor && fits) continue;
    errors = llvm::joinErrors(
        std::move(errors),
        tensor
            ? problem(escaped(path),
                      "its tensor '" + escaped(weight.name) + "' is " + type->text() + ", and was not trained",
                      "name the model that the plan was compiled from")
            : problem(
                  escaped(path),
                  "it has no tensor of its own for '" + escaped(weight.name) +
                      "', which was trained: it is another "
                      "model, or its exporter merged or dropped that parameter",
                  "name the model that the plan was compiled from, or write the weights alone: -o FILE.safetensors"));
  }
  return errors;
}

bool isExternal(const onnx::TensorProto &tensor) { return tensor.data_location() == onnx::TensorProto::EXTERNAL; }

/// The model, and the files beside it that hold its contents.
std::vector<std::string> filesOf(const onnx::GraphProto &graph, const std::string &path) {
  std::vector<std::string> files = {path};
  for (const onnx::TensorProto &tensor : graph.initializer())
    for (const auto &entry : tensor.external_data())
      if (entry.key() == "location") {
        llvm::SmallString<256> file(llvm::sys::path::parent_path(path));
        llvm::sys::path::append(file, entry.value());
        files.push_back(file.str().str());
      }
  return files;
}

int64_t storedBytes(const onnx::GraphProto &graph) {
  int64_t bytes = 0;
  for (const onnx::TensorProto &tensor : graph.initializer())
    if (llvm::Expected<Type> type = typeOf(tensor))
      bytes += int64_t(type->bytes());
    else
      llvm::consumeError(type.takeError()); // nothing is trained there, and it stays as it is
  return bytes;
}

/// What lies beside the old model, and is not replaced, lies beside the new one.
llvm::Error moveExternal(onnx::GraphProto &graph, llvm::StringRef folder, llvm::ArrayRef<ReplacedWeight> weights,
                         ModelWriter &writer) {
  llvm::StringSet<> replaced;
  for (const ReplacedWeight &weight : weights)
    replaced.insert(weight.name);
  for (onnx::TensorProto &tensor : *graph.mutable_initializer()) {
    if (!isExternal(tensor) || replaced.count(tensor.name())) continue;
    llvm::Expected<Tensor> contents = readTensor(tensor, folder);
    if (!contents) return placed("tensor '" + escaped(tensor.name()) + "'", contents.takeError());
    writer.store(tensor, contents->bytes);
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error replaceWeights(const std::string &path, const std::string &output, llvm::ArrayRef<ReplacedWeight> weights) {
  if (llvm::sys::fs::is_directory(path))
    return problem(escaped(path), "it is a folder of onnxruntime-training's artifacts",
                   "write the weights alone: -o FILE.safetensors");
  auto file = mapFile(path);
  if (!file) return file.takeError();
  onnx::ModelProto model;
  if (llvm::Error error = parseModel(path, (*file)->getBuffer(), model)) return error;
  onnx::GraphProto &graph = *model.mutable_graph();
  Tensors tensors(graph);
  if (llvm::Error error = checkWeights(path, tensors, weights)) return error;
  std::vector<std::string> inputs = filesOf(graph, path);
  for (const std::string &written : {output, output + ".data"})
    if (llvm::Error error = checkIsNotRead(written, inputs)) return error;
  const bool isBeside = llvm::any_of(graph.initializer(), isExternal) || storedBytes(graph) > kMostInlineBytes;
  llvm::Expected<ModelWriter> writer = ModelWriter::create(output, isBeside);
  if (!writer) return writer.takeError();
  if (llvm::Error error = moveExternal(graph, llvm::sys::path::parent_path(path), weights, *writer)) return error;
  for (const ReplacedWeight &weight : weights) {
    llvm::Expected<std::vector<float>> values = weight.read();
    if (!values) return values.takeError();
    onnx::TensorProto &tensor = tensors.own(weight.name);
    Array array(llvm::cantFail(typeOf(tensor))); // checkWeights has seen it
    array.data.assign(values->begin(), values->end());
    writer->store(tensor, toTensor(array).bytes);
  }
  return writer->commit(model);
}

} // namespace autotp

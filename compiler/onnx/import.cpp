#include "compiler/onnx/import.h"

#include "compiler/onnx/import_table.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/io/coded_stream.h>

#include <map>

namespace autotp {
namespace {

constexpr int64_t kOldestOpset = 13;

class Importer {
public:
  Importer(const onnx::ModelProto &proto, llvm::StringRef path, const ImportOptions &options)
      : proto_(proto), path_(path), folder_(llvm::sys::path::parent_path(path)), options_(options) {}

  llvm::Expected<ImportedModel> run() {
    if (llvm::Error error = checkModel()) return error;
    if (llvm::Error error = listUnknown()) return error;
    if (llvm::Error error = addInitializers()) return error;
    if (llvm::Error error = addInputs()) return error;
    for (const onnx::NodeProto &node : proto_.graph().node())
      if (llvm::Error error = addNode(node)) return error;
    for (const auto &output : proto_.graph().output()) {
      auto at = values_.find(output.name());
      if (at == values_.end()) return problem("output '" + escaped(output.name()) + "'", "no node computes it");
      model_.graph.outputs.push_back({output.name(), at->second});
    }
    return std::move(model_);
  }

private:
  llvm::Error checkModel() {
    if (!proto_.has_graph() || proto_.graph().node_size() == 0)
      return problem(path_, "it holds no graph", "is it an ONNX model?");
    for (const auto &opset : proto_.opset_import())
      if (opset.domain().empty() || opset.domain() == "ai.onnx") opset_ = opset.version();
    if (opset_ < kOldestOpset)
      return problem(path_, "its opset " + std::to_string(opset_) + " is older than 13",
                     "export the model with opset 13 or newer");
    if (proto_.functions_size() > 0)
      return problem(path_, "it holds model-local functions ('" + escaped(proto_.functions(0).name()) + "')",
                     "inline them when exporting");
    return llvm::Error::success();
  }

  std::string nameOf(const onnx::NodeProto &node) const {
    if (!node.name().empty()) return node.name();
    return node.output_size() ? node.output(0) : node.op_type();
  }

  /// All operators without a row at once: the user sees the whole distance.
  llvm::Error listUnknown() {
    std::map<std::string, std::pair<int, std::string>> unknown;
    for (const onnx::NodeProto &node : proto_.graph().node())
      if (!findImport(node.domain(), node.op_type())) {
        auto &row =
            unknown.insert({(node.domain().empty() ? "" : node.domain() + ".") + node.op_type(), {0, nameOf(node)}})
                .first->second;
        ++row.first;
      }
    if (unknown.empty()) return llvm::Error::success();
    std::string list;
    for (const auto &[op, row] : unknown)
      list += llvm::formatv("\n    {0} ({1} node{2}, first '{3}')", escaped(op), row.first, row.first == 1 ? "" : "s",
                            escaped(row.second))
                  .str();
    return problem(
        path_,
        llvm::formatv("{0} operator{1} not supported:{2}", unknown.size(), unknown.size() == 1 ? " is" : "s are", list)
            .str(),
        "export without them, or open an issue that names them");
  }

  llvm::Error define(const std::string &name, ValueId value) {
    if (name.empty() || values_.try_emplace(name, value).second) return llvm::Error::success();
    return problem("value '" + escaped(name) + "'", "it is defined twice");
  }

  /// A weight that is trained from scratch: its file states no more than its type.
  static bool isWithoutContents(const onnx::TensorProto &proto) {
    return proto.data_location() == onnx::TensorProto::EXTERNAL &&
           llvm::any_of(proto.external_data(),
                        [](const auto &entry) { return entry.key() == "location" && entry.value() == "autotp:none"; });
  }

  /// Float initializers of rank 1 and more stay symbolic: whether they are parameters is decided later, from their
  /// role.
  llvm::Error addInitializer(const onnx::TensorProto &proto) {
    ValueId value;
    if (isWithoutContents(proto)) {
      llvm::Expected<Type> type = typeOf(proto);
      if (!type) return type.takeError();
      if (!isFloat(type->dtype) || type->shape.empty())
        return problem("", "only float tensors of rank 1 and more may lack contents");
      value = model_.graph.addParameter(proto.name(), *type);
      model_.initializers.push_back(value);
      return define(proto.name(), value);
    }
    llvm::Expected<Tensor> tensor = readTensor(proto, folder_);
    if (!tensor) return tensor.takeError();
    Type type = tensor->type;
    bool mayTrain = isFloat(type.dtype) && !type.shape.empty();
    value = mayTrain ? model_.graph.addParameter(proto.name(), type, std::move(*tensor))
                     : model_.graph.addConstant(proto.name(), std::move(*tensor));
    if (mayTrain) model_.initializers.push_back(value);
    return define(proto.name(), value);
  }

  llvm::Error addInitializers() {
    llvm::Error errors = llvm::Error::success();
    for (const onnx::TensorProto &proto : proto_.graph().initializer())
      errors =
          llvm::joinErrors(std::move(errors), placed("tensor '" + escaped(proto.name()) + "'", addInitializer(proto)));
    return errors;
  }

  /// The name of the dynamic dimension that leads the first input which has one: the batch.
  std::string batchName() const {
    for (const auto &input : proto_.graph().input()) {
      const auto &shape = input.type().tensor_type().shape();
      if (shape.dim_size() > 0 && shape.dim(0).has_dim_param()) return shape.dim(0).dim_param();
    }
    return "";
  }

  llvm::Error addInputs() {
    llvm::Error errors = llvm::Error::success();
    std::string batch = batchName();
    for (const auto &input : proto_.graph().input()) {
      auto known = values_.find(input.name()); // an initializer that older files also list as an input
      if (known != values_.end() && model_.graph.value(known->second).kind != ValueKind::Input) continue;
      llvm::Expected<DType> dtype = dtypeOf(input.type().tensor_type().elem_type());
      if (!dtype) return placed("input '" + escaped(input.name()) + "'", dtype.takeError());
      Type type{*dtype, {}};
      if (!input.type().tensor_type().has_shape())
        return problem("input '" + escaped(input.name()) + "'", "it has no shape",
                       "export the model with the shapes of its inputs");
      for (const auto &dim : input.type().tensor_type().shape().dim()) {
        llvm::Expected<int64_t> size = bind(input.name(), dim, batch);
        if (!size) {
          errors = llvm::joinErrors(std::move(errors), size.takeError());
          continue;
        }
        type.shape.push_back(*size);
      }
      if (!countElements(type.shape))
        return llvm::joinErrors(std::move(errors),
                                problem("input '" + escaped(input.name()) + "'", "its shape is negative or too large"));
      errors = llvm::joinErrors(std::move(errors), define(input.name(), model_.graph.addInput(input.name(), type)));
    }
    return errors;
  }

  llvm::Expected<int64_t> bind(const std::string &input, const onnx::TensorShapeProto::Dimension &dim,
                               const std::string &batch) const {
    constexpr int64_t kLongest = int64_t(1) << 32;
    if (dim.has_dim_value()) {
      if (dim.dim_value() < 0 || dim.dim_value() > kLongest)
        return problem("input '" + escaped(input) + "'", "a dimension of it is " + std::to_string(dim.dim_value()));
      return dim.dim_value();
    }
    std::string name = dim.dim_param();
    auto given = options_.shapes.find(name);
    if (given != options_.shapes.end()) return given->second;
    if (!name.empty() && name == batch) return std::max<int64_t>(options_.microBatch, 1);
    return problem("input '" + escaped(input) + "' of " + path_.str(), "dimension '" + escaped(name) + "' has no size",
                   "give it one with --shape " + escaped(name) + "=N");
  }

  llvm::Error addNode(const onnx::NodeProto &node) {
    llvm::SmallVector<ValueId, 4> operands;
    for (const std::string &name : node.input()) {
      if (name.empty()) {
        operands.push_back(kNone);
        continue;
      }
      auto at = values_.find(name);
      if (at == values_.end())
        return problem("node '" + escaped(nameOf(node)) + "'",
                       "its operand '" + escaped(name) + "' is defined after it, or nowhere");
      operands.push_back(at->second);
    }
    const ImportDef &row = *findImport(node.domain(), node.op_type());
    NodeImport import(row, model_.graph, node, operands, folder_, nameOf(node));
    for (size_t k = 0; k < row.leastOperands; ++k)
      if (!import.has(k)) return import.fail("operand " + llvm::Twine(k) + " is missing");
    llvm::Error error = row.build(import);
    if (!import.wrongAttribute().empty()) { // whatever came of it
      llvm::consumeError(std::move(error));
      return import.fail("attribute '" + import.wrongAttribute() + "' is of a wrong kind");
    }
    if (error) return error;
    for (auto [j, name] : indexed(node.output())) {
      if (name.empty()) continue;
      if (j >= import.results.size()) return import.fail("result '" + escaped(name) + "' is not supported");
      if (llvm::Error error = define(name, import.results[j])) return error;
    }
    return llvm::Error::success();
  }

  const onnx::ModelProto &proto_;
  llvm::StringRef path_, folder_;
  const ImportOptions &options_;
  int64_t opset_ = 0;
  ImportedModel model_;
  llvm::StringMap<ValueId> values_;
};

} // namespace

static llvm::Expected<ImportedModel> readModel(llvm::StringRef path, const ImportOptions &options) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) return problem(path, "it cannot be read: " + file.getError().message());
  onnx::ModelProto proto;
  llvm::StringRef bytes = (*file)->getBuffer();
  if (bytes.size() > INT32_MAX) return problem(path, "it is larger than 2 GiB", "export its weights as external data");
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t *>(bytes.data()), int(bytes.size()));
  stream.SetRecursionLimit(100);
  if (!proto.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    return problem(path, "it is no ONNX model, or is truncated");
  llvm::Expected<ImportedModel> model = Importer(proto, path, options).run();
  if (!model) return model.takeError();
  model->sha256 = sha256Of(bytes);
  return model;
}

llvm::Expected<ImportedModel> importModel(llvm::StringRef path, const ImportOptions &options) {
  try {
    return readModel(path, options);
  } catch (const std::exception &exception) { // Protocol Buffers and allocation throw
    return problem(path, std::string("it cannot be imported: ") + exception.what());
  }
}

} // namespace autotp

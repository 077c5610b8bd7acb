#include "compiler/onnx/importer.h"

#include "compiler/onnx/artifacts.h"
#include "compiler/onnx/check_file.h"
#include "compiler/onnx/import_options.h"
#include "compiler/onnx/training_info.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/base/input_file.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <map>
#include <set>

namespace autotp {
namespace {

/// Whether a weight has no contents, since it is to be trained from scratch: its file states only its type.
bool isWithoutContents(const onnx::TensorProto &proto) {
  return proto.data_location() == onnx::TensorProto::EXTERNAL &&
         llvm::any_of(proto.external_data(),
                      [](const auto &entry) { return entry.key() == "location" && entry.value() == "autotp:none"; });
}

} // namespace

std::string nameOf(const onnx::NodeProto &node) {
  if (!node.name().empty()) return node.name();
  return node.output_size() ? node.output(0) : node.op_type();
}

std::string whereOf(const onnx::NodeProto &node) {
  return "node '" + escaped(nameOf(node)) + "' (" + node.op_type() + ")";
}

Importer::Importer(const onnx::ModelProto &proto, llvm::StringRef path, const ImportOptions &options)
    : proto_(proto), path_(path), folder_(llvm::sys::path::parent_path(path)), options_(options), functions_(proto),
      metadata_(proto) {
  model.graph.budget = options.budget;
}

llvm::Expected<ImportedModel> Importer::run() {
  if (llvm::Error error = check()) return error;
  if (llvm::Error error = checkInputNames()) return error;
  numbersMayTrain_ = proto_.training_info_size() == 0;
  if (llvm::Error error = addInitializers(proto_.graph(), scope)) return error;
  if (llvm::Error error = addInputs(proto_.graph().input())) return error;
  if (llvm::Error error = addNodes(proto_.graph().node())) return error;
  if (proto_.training_info_size() > 0) {
    if (llvm::Error error = importTrainingInfo(*this)) return error;
    return std::move(model);
  }
  for (const auto &output : proto_.graph().output()) {
    auto value = scope.find(output.name());
    if (llvm::StringRef maker = scope.withheldBy(output.name()); !value && !maker.empty())
      return problem("output '" + escaped(output.name()) + "'",
                     "node '" + escaped(maker) + "' computes it, and that result is not supported",
                     "export the model without this output");
    if (!value) return problem("output '" + escaped(output.name()) + "'", "no node computes it as a tensor");
    model.graph.outputs.push_back({output.name(), *value});
  }
  model.exporter = std::move(metadata_.facts);
  return std::move(model);
}

llvm::Error Importer::check() {
  if (!proto_.has_graph() || proto_.graph().node_size() == 0)
    return problem(path_, "it holds no graph", "is it an ONNX model?");
  if (llvm::Error error = checkVersions(path_, proto_)) return error;
  if (llvm::Error error = checkTexts(path_, proto_)) return error;
  std::vector<const Nodes *> lists = {&proto_.graph().node()};
  for (const auto &training : proto_.training_info())
    lists.insert(lists.end(), {&training.initialization().node(), &training.algorithm().node()});
  return listUnknown(lists);
}

/// Up to IR 3 every initializer was also an input, and some exporters still write it so. If only some are, a parameter
/// and an argument of the model have the same name.
llvm::Error Importer::checkInputNames() const {
  constexpr int64_t kFirstIrWithPlainInitializers = 4;
  std::set<llvm::StringRef> initializers;
  for (const onnx::TensorProto &initializer : proto_.graph().initializer())
    initializers.insert(initializer.name());
  std::vector<std::string> both;
  for (const auto &input : proto_.graph().input())
    if (initializers.count(input.name())) both.push_back("'" + escaped(input.name()) + "'");
  if (proto_.ir_version() < kFirstIrWithPlainInitializers || both.empty() || both.size() == initializers.size())
    return llvm::Error::success();
  return problem("input " + llvm::join(both, ", "),
                 "an initializer has its name, so that the file does not say whether it is fed or a weight",
                 "rename the argument or the parameter in the model, and export it again");
}

/// Looks at each function of the model once, when it is first called. Bodies and functions wait in a list, since a file
/// may nest them as deeply as it is long.
Importer::Unknown Importer::findUnknown(llvm::ArrayRef<const Nodes *> lists) const {
  Unknown unknown;
  std::set<const onnx::FunctionProto *> seen;
  llvm::SmallVector<const Nodes *> waiting(lists.rbegin(), lists.rend());
  while (!waiting.empty())
    for (const onnx::NodeProto &node : *waiting.pop_back_val()) {
      if (const onnx::GraphProto *body = bodyOf(node)) waiting.push_back(&body->node());
      if (isControlFlow(node) || isTrainingOperator(node) || findImport(node.domain(), node.op_type())) continue;
      if (const onnx::FunctionProto *function = functions_.ofModel(node)) {
        if (seen.insert(function).second) waiting.push_back(&function->node());
      } else if (!functions_.isDefinedByStandard(node)) {
        std::string op = (node.domain().empty() ? "" : node.domain() + ".") + node.op_type();
        ++unknown.insert({op, {0, nameOf(node)}}).first->second.first;
      }
    }
  return unknown;
}

llvm::Error Importer::listUnknown(llvm::ArrayRef<const Nodes *> lists) const {
  const Unknown unknown = findUnknown(lists);
  if (unknown.empty()) return llvm::Error::success();
  std::string list;
  for (const auto &[op, row] : unknown) {
    list += llvm::formatv("\n    {0} ({1} node{2}, first '{3}')", escaped(op), row.first, row.first == 1 ? "" : "s",
                          escaped(row.second))
                .str();
    auto [domain, name] = llvm::StringRef(op).contains('.') ? llvm::StringRef(op).rsplit('.')
                                                            : std::pair(llvm::StringRef(), llvm::StringRef(op));
    if (llvm::StringRef why = whyRefused(domain, name); !why.empty()) list += ": " + why.str();
  }
  return problem(
      path_,
      llvm::formatv("{0} operator{1} not supported:{2}", unknown.size(), unknown.size() == 1 ? " is" : "s are", list)
          .str(),
      "export without them, or open an issue that names them");
}

/// Float initializers stay symbolic, since later evidence decides whether they are parameters. If the model brings its
/// own training graph, single numbers are constants, since they belong to that graph.
llvm::Error Importer::addInitializer(const onnx::TensorProto &proto, Scope &scope) {
  ValueId value;
  if (isWithoutContents(proto)) {
    llvm::Expected<Type> type = typeOf(proto);
    if (!type) return type.takeError();
    if (!isFloat(type->dtype) || type->shape.empty())
      return problem("", "only float tensors of rank 1 and more may lack contents");
    value = model.graph.addParameter(proto.name(), *type);
    model.initializers.push_back(value);
    return scope.define(proto.name(), value);
  }
  llvm::Expected<Tensor> tensor = readTensor(proto, folder_);
  if (!tensor) return tensor.takeError();
  Type type = tensor->type;
  bool mayTrain = isFloat(type.dtype) && (!type.shape.empty() || numbersMayTrain_);
  if (mayTrain && !scope.outer) {
    value = model.graph.addParameter(proto.name(), type, std::move(*tensor));
  } else { // those of a body are read anew each time that it is written out, so they are shared, and take from the budget
    value = model.graph.addConstant(proto.name(), std::move(*tensor));
    if (mayTrain) model.graph.setKind(value, ValueKind::Parameter);
  }
  if (mayTrain) model.initializers.push_back(value);
  return scope.define(proto.name(), value);
}

llvm::Error Importer::addInitializers(const onnx::GraphProto &graph, Scope &scope) {
  llvm::Error errors = llvm::Error::success();
  for (const onnx::TensorProto &proto : graph.initializer())
    errors = llvm::joinErrors(std::move(errors),
                              placed("tensor '" + escaped(proto.name()) + "'", addInitializer(proto, scope)));
  return errors;
}

llvm::Error Importer::addNodes(const Nodes &nodes, Scope &scope) {
  for (const onnx::NodeProto &node : nodes)
    if (llvm::Error error = addNode(node, scope)) return error;
  return llvm::Error::success();
}

llvm::Error Importer::addNode(const onnx::NodeProto &node, Scope &scope) {
  std::string name = scope.prefix + nameOf(node);
  llvm::SmallVector<ValueId, 4> operands;
  for (const std::string &operand : node.input()) {
    auto value = operand.empty() ? std::optional<ValueId>(kNone) : scope.findAny(operand);
    if (llvm::StringRef maker = scope.withheldBy(operand); !value && !maker.empty())
      return problem("node '" + escaped(maker) + "'",
                     "its result '" + escaped(operand) + "' is not supported, and '" + escaped(name) + "' needs it");
    if (!value)
      return problem("node '" + escaped(name) + "'",
                     "its operand '" + escaped(operand) + "' is defined after it, or nowhere");
    operands.push_back(*value);
  }
  model.graph.budget->takeBytes(kBytesOfCall + double(name.size()));
  if (llvm::Error error = model.graph.budget->check()) return placed("node '" + escaped(name) + "'", std::move(error));
  const NodeId first = NodeId(model.graph.numNodes());
  const bool isCopy = metadata_.isCopy(node) && operands[0] != kNone && !isSequence(operands[0]) &&
                      model.graph.value(operands[0]).kind == ValueKind::Parameter;
  Results results = isCopy                                      ? copyOf(node, operands[0])
                    : isControlFlow(node)                       ? addControlFlow(node, name, operands, scope)
                    : findImport(node.domain(), node.op_type()) ? addOperator(node, name, operands, scope.depth)
                                                                : addCall(node, name, operands, scope.depth);
  if (!results) return results.takeError();
  metadata_.attribute(node, first, model.graph.numNodes());
  if (node.op_type() == "Constant" && !results->empty()) addIfWeight(node, (*results)[0]);
  for (auto [j, result] : indexed(node.output())) {
    if (result.empty()) continue;
    if (j >= results->size() || (*results)[j] == kNone) {
      scope.withheld[result] = name;
      continue;
    }
    if (llvm::Error error = scope.define(result, (*results)[j])) return error;
  }
  return llvm::Error::success();
}

/// A Constant node is an initializer, except in files of PyTorch's exporters, which write numbers and folded values so.
void Importer::addIfWeight(const onnx::NodeProto &node, ValueId constant) {
  const Type &type = model.graph.type(constant);
  if (!numbersMayTrain_ || metadata_.facts.exporter != Exporter::Unknown || !isFloat(type.dtype) || type.elements() < 2)
    return;
  model.graph.setKind(constant, ValueKind::Parameter);
  model.graph.rename(constant, node.output(0));
  model.initializers.push_back(constant);
}

Importer::Results Importer::copyOf(const onnx::NodeProto &node, ValueId initializer) {
  const Value &of = model.graph.value(initializer);
  metadata_.facts.copies.push_back({node.output(0), of.name});
  ValueId copy = model.graph.addParameter(node.output(0), of.type, of.contents);
  model.initializers.push_back(copy);
  return llvm::SmallVector<ValueId, 2>{copy};
}

void Importer::nameWeight(const onnx::NodeProto &node, llvm::ArrayRef<ValueId> operands) {
  constexpr llvm::StringLiteral kWeighing[] = {"MatMul", "Gemm", "Conv", "Gather"};
  if (!llvm::is_contained(kWeighing, node.op_type())) return;
  for (size_t k = 0; k < operands.size() && k < 2; ++k) {
    if (operands[k] == kNone || isSequence(operands[k]) || model.graph.value(operands[k]).kind != ValueKind::Parameter)
      continue;
    const std::string &name = model.graph.value(operands[k]).name;
    std::string module = moduleOf(node);
    const bool keepsName =
        metadata_.facts.exporter == Exporter::TorchScript && !llvm::StringRef(name).startswith("onnx::");
    const bool hasModule = !llvm::StringRef(name).startswith("onnx::") && llvm::StringRef(name).contains(module);
    if (module.empty() || keepsName || metadata_.isRewritten(name) || hasModule) continue;
    model.moduleNames.try_emplace(name, module + ".weight");
  }
}

Importer::Results Importer::addOperator(const onnx::NodeProto &node, const std::string &name,
                                        llvm::ArrayRef<ValueId> operands, unsigned depth) {
  const ImportDef &row = *findImport(node.domain(), node.op_type());
  nameWeight(node, operands);
  NodeImport import(row, model.graph, sequences_, node, operands, folder_, name);
  for (size_t k = 0; k < row.leastOperands; ++k)
    if (!import.has(k)) return import.fail("operand " + llvm::Twine(k) + " is missing");
  for (size_t k = 0; k < operands.size(); ++k)
    if (isSequence(operands[k]) && (k >= 8 || !(row.sequences >> k & 1)))
      return import.fail("operand " + llvm::Twine(k) + " is a sequence");
  llvm::Error error = row.build(import);
  if (llvm::Error overdrawn = model.graph.budget->check()) { // whatever the import function made of it
    llvm::consumeError(std::move(error));
    return import.fail(std::move(overdrawn));
  }
  if (!import.wrongAttribute().empty()) { // reported in any case, since the import function took it as absent
    llvm::consumeError(std::move(error));
    return import.fail("attribute '" + import.wrongAttribute() + "' is of a wrong kind");
  }
  if (error) return error;
  for (ValueId id : import.untrained)
    if (const Value &value = model.graph.value(id); value.kind == ValueKind::Parameter)
      model.untrained.push_back(value.name);
  if (!import.note.empty() && !llvm::is_contained(model.notes, import.note)) model.notes.push_back(import.note);
  return import.isDeclined() ? addCall(node, name, operands, depth) : Results(import.results);
}

Importer::Results Importer::addCall(const onnx::NodeProto &node, const std::string &name,
                                    llvm::ArrayRef<ValueId> operands, unsigned depth) {
  std::string where = "node '" + escaped(name) + "' (" + escaped(node.op_type()) + ")";
  if (depth == kDeepestCall) return problem(where, "functions call each other too deeply, or in a circle");
  if (const onnx::FunctionProto *function = functions_.ofModel(node)) {
    model.graph.budget->takeOperations(functions_.bytesOf(*function));
    if (llvm::Error error = model.graph.budget->check()) return placed(where, std::move(error));
  }
  std::vector<onnx::TypeProto> types;
  for (ValueId operand : operands)
    types.push_back(typeProtoOf(operand));
  auto body = functions_.bodyOf(node, types);
  if (!body) return placed(where, body.takeError());
  if (!*body) return problem(where, "this operator is not supported");
  Scope inner{.prefix = name + "/", .depth = depth + 1};
  for (auto [k, formal] : indexed((*body)->input()))
    if (llvm::Error error = inner.define(formal, k < operands.size() ? operands[k] : kNone)) return error;
  if (llvm::Error error = addNodes((*body)->node(), inner)) return error;
  return found(std::vector<std::string>((*body)->output().begin(), (*body)->output().end()), inner);
}

llvm::SmallVector<ValueId, 2> Importer::found(llvm::ArrayRef<std::string> names, const Scope &scope) {
  llvm::SmallVector<ValueId, 2> results;
  for (const std::string &name : names)
    results.push_back(scope.findAny(name).value_or(kNone)); // a body may lack results that this call does not use
  return results;
}

onnx::TypeProto Importer::typeProtoOf(ValueId operand) const {
  if (operand == kNone) return {};
  if (!isSequence(operand)) return typeProto(model.graph.type(operand));
  onnx::TypeProto proto;
  llvm::ArrayRef<ValueId> elements = sequences_[operand];
  *proto.mutable_sequence_type()->mutable_elem_type() = elements.empty() ? onnx::TypeProto() : typeProtoOf(elements[0]);
  return proto;
}

llvm::Error parseModel(llvm::StringRef path, llvm::StringRef bytes, onnx::ModelProto &proto) {
  if (bytes.size() > INT32_MAX) return problem(path, "it is larger than 2 GiB", "export its weights as external data");
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t *>(bytes.data()), int(bytes.size()));
  stream.SetRecursionLimit(100);
  const google::protobuf::LogSilencer silence; // the error below says it
  if (!proto.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    return problem(path, "it is no ONNX model, or is truncated");
  return llvm::Error::success();
}

/// Twice the model and 1 GiB, unless the user says something else.
static uint64_t budgetBytes(llvm::StringRef path, const ImportOptions &options) {
  if (options.budgetMegabytes > 0) return uint64_t(options.budgetMegabytes) * 1000000;
  uint64_t bytes = 0, size = 0;
  std::error_code code;
  if (!llvm::sys::fs::is_directory(path)) {
    if (!llvm::sys::fs::file_size(path, size)) bytes = size;
  } else {
    for (llvm::sys::fs::directory_iterator at(path, code), end; !code && at != end; at.increment(code))
      if (!llvm::sys::fs::file_size(at->path(), size)) bytes += size;
  }
  return 2 * bytes + Budget::kDefaultBytes;
}

static llvm::Expected<ImportedModel> readModel(llvm::StringRef path, const ImportOptions &options) {
  if (llvm::sys::fs::is_directory(path)) return importArtifacts(path, options);
  auto file = mapFile(path);
  if (!file) return file.takeError();
  onnx::ModelProto proto;
  if (llvm::Error error = parseModel(path, (*file)->getBuffer(), proto)) return error;
  llvm::Expected<ImportedModel> model = Importer(proto, path, options).run();
  if (!model) return model.takeError();
  model->digest = digestOf((*file)->getBuffer());
  return model;
}

llvm::Expected<ImportedModel> importModel(llvm::StringRef path, const ImportOptions &options) {
  try {
    ImportOptions own = options;
    own.budget = std::make_shared<Budget>(budgetBytes(path, options));
    return readModel(path, own);
  } catch (const std::exception &exception) { // Protocol Buffers and allocation may throw
    return problem(path, std::string("it cannot be imported: ") + exception.what());
  }
}

} // namespace autotp

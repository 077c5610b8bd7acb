/// \file Reads the graphs of one ONNX model, node by node, into one of ours. Other folders call import.h.
#pragma once

#include "compiler/onnx/exporter_metadata.h"
#include "compiler/onnx/functions.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"

#include <map>
#include <set>

namespace autotp {

/// The values behind names: of the graph itself, of a function's body (which sees no outer scope), or of a branch
/// (which sees the enclosing ones).
struct Scope {
  llvm::StringMap<ValueId> values = {}; ///< values of the graph, or sequences
  const Scope *outer = nullptr;
  std::string prefix; ///< prepended to the names of its nodes
  unsigned depth = 0;

  /// The value of the graph or sequence of this name.
  std::optional<ValueId> findAny(llvm::StringRef name) const {
    for (const Scope *scope = this; scope; scope = scope->outer)
      if (auto at = scope->values.find(name); at != scope->values.end()) return at->second;
    return std::nullopt;
  }
  /// The value of the graph of this name; nothing if it is a sequence.
  std::optional<ValueId> find(llvm::StringRef name) const {
    auto value = findAny(name);
    return value && isSequence(*value) ? std::nullopt : value;
  }
  /// Gives a value its name. An empty name stands for a result that is not wanted. Errors: the name is taken in this
  /// scope.
  llvm::Error define(llvm::StringRef name, ValueId value) {
    if (name.empty() || values.try_emplace(name, value).second) return llvm::Error::success();
    return problem("value '" + escaped(name) + "'", "it is defined twice");
  }

  /// Results that the import of an operator does not give, each with its node.
  llvm::StringMap<std::string> withheld = {};
  /// The node that withholds the result `name`; empty if none does.
  llvm::StringRef withheldBy(llvm::StringRef name) const {
    for (const Scope *scope = this; scope; scope = scope->outer)
      if (auto at = scope->withheld.find(name); at != scope->withheld.end()) return at->second;
    return "";
  }
};

/// Parses the bytes of a file into `proto`. Errors: they are no model, or a truncated one.
llvm::Error parseModel(llvm::StringRef path, llvm::StringRef bytes, onnx::ModelProto &proto);

/// The name of a node, or that of its first output if it has none.
std::string nameOf(const onnx::NodeProto &node);
/// The node for messages, such as "node 'X' (Adam)".
std::string whereOf(const onnx::NodeProto &node);

/// Whether the node is an If, Loop or Scan.
bool isControlFlow(const onnx::NodeProto &node);
/// The body of a Loop or Scan; null for other nodes, and if it is missing.
const onnx::GraphProto *bodyOf(const onnx::NodeProto &node);

constexpr unsigned kDeepestCall = 32; ///< the deepest nesting of functions and graphs
constexpr double kBytesOfCall = 128;  ///< what each node of the file takes beside those that it becomes

class Importer {
public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  using Inputs = google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>;

  /// All arguments must outlive the importer.
  Importer(const onnx::ModelProto &proto, llvm::StringRef path, const ImportOptions &options);

  /// Imports the model's graph, and its training graph if there is one. Moves `model` out of the importer.
  llvm::Expected<ImportedModel> run();

  // The steps of run(), each of which adds to `model` and `scope`.
  /// Checks that the model can be read, and that all its operators are known.
  llvm::Error check();
  /// Errors: some, but not all, initializers are also inputs, so it is unclear whether these are fed.
  llvm::Error checkInputNames() const;
  llvm::Error addInitializers() { return addInitializers(proto_.graph(), scope); }
  llvm::Error addInitializer(const onnx::TensorProto &proto) { return addInitializer(proto, scope); }
  llvm::Error addInputs(const Inputs &inputs);
  llvm::Error addNodes(const Nodes &nodes) { return addNodes(nodes, scope); }
  /// An error with all operators that have no row, so that the user sees at once how many are missing.
  llvm::Error listUnknown(llvm::ArrayRef<const Nodes *> lists) const;

  /// An importer of the same model that has read nothing yet.
  Importer another() const { return Importer(proto_, path_, options_); }
  const onnx::ModelProto &proto() const { return proto_; }
  llvm::StringRef path() const { return path_; }
  llvm::StringRef folder() const { return folder_; }

  ImportedModel model;
  Scope scope; ///< the names of the model's graph

private:
  using Unknown = std::map<std::string, std::pair<int, std::string>>;
  using Results = llvm::Expected<llvm::SmallVector<ValueId, 2>>;

  Unknown findUnknown(llvm::ArrayRef<const Nodes *> lists) const;
  llvm::Error addInitializer(const onnx::TensorProto &proto, Scope &scope);
  llvm::Error addInitializers(const onnx::GraphProto &graph, Scope &scope);
  std::string batchName() const;
  std::optional<int64_t> givenSize(const onnx::ValueInfoProto &input, int axis) const;
  bool isMicroBatch(const onnx::ValueInfoProto &input, int axis, const std::string &batch) const;
  llvm::Expected<int64_t> bind(const onnx::ValueInfoProto &input, int axis, const std::string &batch) const;
  void findInputsWithoutBatch(const Inputs &inputs, const std::string &batch);
  llvm::Error addNodes(const Nodes &nodes, Scope &scope);
  llvm::Error addNode(const onnx::NodeProto &node, Scope &scope);
  void addIfWeight(const onnx::NodeProto &node, ValueId constant);
  Results copyOf(const onnx::NodeProto &node, ValueId initializer);
  void nameWeight(const onnx::NodeProto &node, llvm::ArrayRef<ValueId> operands);
  Results addOperator(const onnx::NodeProto &node, const std::string &name, llvm::ArrayRef<ValueId> operands,
                      unsigned depth);
  Results addCall(const onnx::NodeProto &node, const std::string &name, llvm::ArrayRef<ValueId> operands,
                  unsigned depth);
  onnx::TypeProto typeProtoOf(ValueId operand) const;
  static llvm::SmallVector<ValueId, 2> found(llvm::ArrayRef<std::string> names, const Scope &scope);

  // Control flow (control_flow.cpp).
  Results addControlFlow(const onnx::NodeProto &node, const std::string &name, llvm::ArrayRef<ValueId> operands,
                         const Scope &scope);
  Results addBranch(const onnx::NodeProto &node, const std::string &name, llvm::ArrayRef<ValueId> operands,
                    const Scope &scope);
  Results addLoop(NodeImport &node, const std::string &name, const Scope &scope);
  Results addScan(NodeImport &node, const std::string &name, const Scope &scope);
  Results addIteration(const onnx::GraphProto &body, llvm::ArrayRef<ValueId> inputs, const std::string &prefix,
                       const Scope &shared);

  const onnx::ModelProto &proto_;
  llvm::StringRef path_, folder_;
  const ImportOptions &options_;
  Functions functions_;
  Sequences sequences_;
  ExporterMetadata metadata_;
  /// Whether initializers of rank 0 are symbolic too and Constant nodes are initializers: not with a training graph.
  bool numbersMayTrain_ = false;
};

} // namespace autotp

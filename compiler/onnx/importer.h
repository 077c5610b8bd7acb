/// \file Reads graphs of one ONNX model, node by node, into one of ours. import.h is what other folders call.
#pragma once

#include "compiler/onnx/exporter_metadata.h"
#include "compiler/onnx/functions.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/import_table.h"
#include "runtime/base/error.h"

#include <map>
#include <set>

namespace autotp {

/// Names and what they stand for: of the graph itself, of a function's body (sees nothing outside), or of a branch
/// (sees what encloses it).
struct Scope {
  llvm::StringMap<ValueId> values = {}; ///< or sequences
  const Scope *outer = nullptr;
  std::string prefix; ///< of its nodes' names
  unsigned depth = 0;

  /// A value of the graph, or a sequence.
  std::optional<ValueId> findAny(llvm::StringRef name) const {
    for (const Scope *scope = this; scope; scope = scope->outer)
      if (auto at = scope->values.find(name); at != scope->values.end()) return at->second;
    return std::nullopt;
  }
  /// A value of the graph.
  std::optional<ValueId> find(llvm::StringRef name) const {
    auto value = findAny(name);
    return value && isSequence(*value) ? std::nullopt : value;
  }
  llvm::Error define(llvm::StringRef name, ValueId value) {
    if (name.empty() || values.try_emplace(name, value).second) return llvm::Error::success();
    return problem("value '" + escaped(name) + "'", "it is defined twice");
  }

  llvm::StringMap<std::string> withheld = {}; ///< results that an operator's import does not give, and of which node
  /// "" where `name` is none of those.
  llvm::StringRef withheldBy(llvm::StringRef name) const {
    for (const Scope *scope = this; scope; scope = scope->outer)
      if (auto at = scope->withheld.find(name); at != scope->withheld.end()) return at->second;
    return "";
  }
};

/// Bytes of a file as a model; errors: none, or a truncated one. `proto` is filled.
llvm::Error parseModel(llvm::StringRef path, llvm::StringRef bytes, onnx::ModelProto &proto);

/// The name of a node, or what stands for it where it has none.
std::string nameOf(const onnx::NodeProto &node);
/// "node 'X' (Adam)"
std::string whereOf(const onnx::NodeProto &node);

/// If, Loop and Scan.
bool isControlFlow(const onnx::NodeProto &node);
/// What a Loop or Scan runs; null of other nodes, and where it is missing.
const onnx::GraphProto *bodyOf(const onnx::NodeProto &node);

constexpr unsigned kDeepestCall = 32;  ///< functions that call functions, and graphs within graphs
constexpr size_t kMostNodes = 2 << 20; ///< that functions and loops may expand to

class Importer {
public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  using Inputs = google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>;

  /// All must outlive it.
  Importer(const onnx::ModelProto &proto, llvm::StringRef path, const ImportOptions &options);

  /// The model's graph, with what its training graph adds. Leaves nothing behind in `model`.
  llvm::Expected<ImportedModel> run();

  // Parts of it, each into `model` and `scope`.
  /// Whether the model may be read at all, and all of its operators are known.
  llvm::Error check();
  llvm::Error checkInputNames() const;
  llvm::Error addInitializers() { return addInitializers(proto_.graph(), scope); }
  llvm::Error addInitializer(const onnx::TensorProto &proto) { return addInitializer(proto, scope); }
  llvm::Error addInputs(const Inputs &inputs);
  llvm::Error addNodes(const Nodes &nodes) { return addNodes(nodes, scope); }
  /// All operators without a row at once: the user sees the whole distance.
  llvm::Error listUnknown(llvm::ArrayRef<const Nodes *> lists) const;

  /// Of the same model, with nothing in it yet.
  Importer another() const { return Importer(proto_, path_, options_); }
  const onnx::ModelProto &proto() const { return proto_; }
  llvm::StringRef path() const { return path_; }
  llvm::StringRef folder() const { return folder_; }

  ImportedModel model;
  Scope scope; ///< of the model's graph

private:
  using Unknown = std::map<std::string, std::pair<int, std::string>>;
  using Results = llvm::Expected<llvm::SmallVector<ValueId, 2>>;

  void findUnknown(const Nodes &nodes, Unknown &unknown, std::set<const onnx::FunctionProto *> &seen) const;
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
  int64_t opset_ = 0;
  Functions functions_;
  Sequences sequences_;
  ExporterMetadata metadata_;
  size_t numNodes_ = 0;
  bool numbersMayTrain_ = false; ///< initializers of rank 0 are symbolic too, and Constant nodes are initializers
};

} // namespace autotp

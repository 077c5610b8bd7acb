/// \file What an exporter says beside the graph: what it called an initializer, and of which call of the exported
/// program each node is. Read by compiler/onnx; passes/import decide by it which initializers are parameters, and which
/// are one and the same.
#pragma once

#include "compiler/ir/graph.h"

#include <map>

namespace autotp {

enum class Exporter : uint8_t { Unknown, TorchScript, Dynamo };

enum class TensorKind : uint8_t { Parameter, Buffer, Constant };

/// A tensor that the exported program takes beside its inputs, whether the file still holds it or not.
struct ProgramSource {
  std::string placeholder, name; ///< "p_h_0_ln_1_weight", "h.0.ln_1.weight"
  TensorKind kind;
};

/// One call of the exported program: %linear_1 = aten.linear(%mul_1, %p_h_0_weight, %p_h_0_bias).
struct ProgramCall {
  std::string result, target;         ///< "linear_1", "aten.linear"
  std::vector<std::string> arguments; ///< as written: "%mul_1", "[%a, %b]", "1e-05"; keyword arguments are last
  std::vector<std::string> scopes;    ///< paths of the modules around it, the outermost first
};

/// What is said of an initializer.
struct ExportedTensor {
  std::optional<TensorKind> kind;
  std::string placeholder;             ///< what calls call it: "p_h_0_ln_1_weight"
  std::vector<std::string> foldedFrom; ///< names of initializers and of values that it was computed from
  bool isOfUnknown = false;            ///< it was computed, and the exporter lost from what
};

struct NodeFacts {
  uint32_t call = kNone; ///< of ExporterFacts::calls
  std::string module;    ///< the path of the module that made it
};

/// An initializer that a file has under a second name: of another parameter of equal contents, or of the same.
struct TensorCopy {
  std::string name, of;
};

struct ExporterFacts {
  Exporter exporter = Exporter::Unknown;
  std::vector<ProgramCall> calls;
  std::vector<NodeFacts> nodes;                               ///< by NodeId, of the graph as it was imported
  std::map<std::string, ExportedTensor, std::less<>> tensors; ///< by the initializer's name
  std::vector<TensorCopy> copies;
  std::vector<ProgramSource> sources; ///< all of them, in the program's order; empty where the file has no signature

  const NodeFacts *of(NodeId node) const { return node < nodes.size() ? &nodes[node] : nullptr; }
  /// The call that a node is of, or null.
  const ProgramCall *callOf(NodeId node) const {
    const NodeFacts *facts = of(node);
    return facts && facts->call != kNone ? &calls[facts->call] : nullptr;
  }
};

} // namespace autotp

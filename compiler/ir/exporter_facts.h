/// \file What an exporter says beside the graph: the module's own name of an initializer, and the call of the exported
/// program to which each node belongs. compiler/onnx reads these facts; passes/import decides by them which
/// initializers are parameters, and which are tied.
#pragma once

#include "compiler/ir/ids.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace autotp {

enum class Exporter : uint8_t { Unknown, TorchScript, Dynamo };

enum class TensorKind : uint8_t { Parameter, Buffer, Constant };

/// A tensor that the exported program takes beside its inputs, even if the file does not hold it any more.
struct ProgramSource {
  std::string placeholder, name; ///< such as "p_h_0_ln_1_weight" and "h.0.ln_1.weight"
  TensorKind kind;
};

/// One call of the exported program, such as %linear_1 = aten.linear(%mul_1, %p_h_0_weight, %p_h_0_bias).
struct ProgramCall {
  std::string result, target; ///< such as "linear_1" and "aten.linear"
  /// As the file writes them, such as "%mul_1", "[%a, %b]", "1e-05"; keyword arguments are last.
  std::vector<std::string> arguments;
  std::vector<std::string> scopes; ///< paths of the modules that contain the call, the outermost first
};

/// What the exporter says about an initializer.
struct ExportedTensor {
  std::optional<TensorKind> kind;
  std::string placeholder;             ///< its name in calls, such as "p_h_0_ln_1_weight"
  std::vector<std::string> foldedFrom; ///< names of the initializers and values from which the exporter computed it
  bool isOfUnknown = false;            ///< it was computed, but from which values is lost
};

struct NodeFacts {
  uint32_t call = kNone; ///< index of ExporterFacts::calls; kNone if it belongs to none
  std::string module;    ///< the path of the module that made it
};

/// An initializer that the file also holds under a second name, either as the same parameter or as another one of equal
/// contents.
struct TensorCopy {
  std::string name, of;
};

struct ExporterFacts {
  Exporter exporter = Exporter::Unknown;
  std::vector<ProgramCall> calls;
  std::vector<NodeFacts> nodes;                               ///< by NodeId of the graph as it was imported
  std::map<std::string, ExportedTensor, std::less<>> tensors; ///< by the name of the initializer
  std::vector<TensorCopy> copies;
  std::vector<ProgramSource> sources; ///< in the order of the program; empty if the file has no signature

  const NodeFacts *of(NodeId node) const { return node < nodes.size() ? &nodes[node] : nullptr; }
  /// The call to which a node belongs, or null.
  const ProgramCall *callOf(NodeId node) const {
    const NodeFacts *facts = of(node);
    return facts && facts->call != kNone ? &calls[facts->call] : nullptr;
  }
};

} // namespace autotp

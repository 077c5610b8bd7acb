/// \file Reads the metadata that PyTorch's exporters write for nodes and values (compiler/ir/exporter_facts.h).
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/ADT/StringMap.h"

#include <onnx/onnx_pb.h>

namespace autotp {

/// Collects the facts of one model while it is imported.
class ExporterMetadata {
public:
  explicit ExporterMetadata(const onnx::ModelProto &model);

  /// Attributes to `node` of the file all our nodes in [first, end) that belong to no node of the file yet.
  void attribute(const onnx::NodeProto &node, NodeId first, size_t end);
  /// Whether a node gives an initializer a second name. TorchScript writes such an Identity for each initializer whose
  /// contents another one has.
  bool isCopy(const onnx::NodeProto &node) const;
  /// Whether an initializer has the name of one of the program's sources, but other numbers than it.
  bool isRewritten(llvm::StringRef initializer) const;

  ExporterFacts facts;

private:
  llvm::StringMap<uint32_t> calls_; // by their text; only looked up
};

/// The path of the module that made a node, from dynamo's list of scopes or from TorchScript's names of nodes.
std::string moduleOf(const onnx::NodeProto &node);

/// Parses a call such as "%linear : [num_users=1] = call_function[target=torch.ops.aten.linear.default](args = (%x,
/// %w), kwargs = {})". Returns nothing if the text has another form.
std::optional<ProgramCall> parseCall(llvm::StringRef text);

/// The sources in a program's signature, one a line, such as "p_h_0_weight: PARAMETER target='h.0.weight'".
std::vector<ProgramSource> parseSignature(llvm::StringRef text);

} // namespace autotp

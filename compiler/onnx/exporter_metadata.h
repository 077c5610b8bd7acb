/// \file Reads what PyTorch's exporters write into the metadata of nodes and values (compiler/ir/exporter_facts.h).
#pragma once

#include "compiler/ir/exporter_facts.h"

#include "llvm/ADT/StringMap.h"

#include <onnx/onnx_pb.h>

namespace autotp {

/// Collects the facts of one model while it is imported.
class ExporterMetadata {
public:
  /// `graph`: of the model.
  explicit ExporterMetadata(const onnx::ModelProto &model);

  /// All nodes of ours from `first` on that belong to no node of the file yet were made for this one.
  void attribute(const onnx::NodeProto &node, NodeId first, size_t end);
  /// Whether a node gives an initializer a second name: TorchScript writes such an Identity for each initializer whose
  /// contents another one has.
  bool isCopy(const onnx::NodeProto &node) const;
  /// Whether an initializer has the name of one of the program's sources, and numbers of its own.
  bool isRewritten(llvm::StringRef initializer) const;

  ExporterFacts facts;

private:
  llvm::StringMap<uint32_t> calls_; // by their text; looked up only
};

/// The path of the module that made a node: from dynamo's list of scopes, or the path that TorchScript names nodes by.
std::string moduleOf(const onnx::NodeProto &node);

/// "%linear : [num_users=1] = call_function[target=torch.ops.aten.linear.default](args = (%x, %w), kwargs = {})";
/// nothing where it is of another form.
std::optional<ProgramCall> parseCall(llvm::StringRef text);

/// The sources in a program's signature, one a line: "p_h_0_weight: PARAMETER target='h.0.weight'".
std::vector<ProgramSource> parseSignature(llvm::StringRef text);

} // namespace autotp

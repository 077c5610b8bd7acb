/// \file Finds what names stand for in a model's training graph, which shares names with the model's graph.
#pragma once

#include "compiler/onnx/importer.h"

namespace autotp {

struct TrainingGraph {
  explicit TrainingGraph(Importer &importer) : importer_(importer) {}

  const onnx::TrainingInfoProto &info() const { return importer_.proto().training_info(0); }
  const onnx::GraphProto &algorithm() const { return info().algorithm(); }

  /// Fills the tables. Errors: an update_binding names nothing, or occurs twice.
  llvm::Error readNames();
  /// Runs the initialization graph, which must fold to constants, and makes its results the contents of the weights.
  llvm::Error initialise();
  /// The initial contents of an initializer.
  llvm::Expected<Tensor> initialOf(const std::string &name) const;

  using Wanted = llvm::StringMap<bool>;
  /// Adds the nodes of the training graph on which `name` depends, and the initializers and other names from which
  /// these begin.
  llvm::Error collect(const std::string &name, Wanted &nodes, Wanted &begins) const;
  /// The wanted nodes of the training graph, which collect() names by their first outputs, in the order of the file.
  Importer::Nodes inOrder(const Wanted &nodes) const;
  /// Whether all dimensions of the tensor are 1.
  static bool isScalar(const onnx::TensorProto &tensor);

  // By name; only looked up.
  llvm::StringMap<const onnx::TensorProto *> initializers; ///< those of both graphs
  llvm::StringMap<const onnx::NodeProto *> producers;      ///< those of the training graph
  llvm::StringMap<std::string> next;                       ///< update_binding
  llvm::StringMap<Tensor> initial;                         ///< initialization_binding
  llvm::StringMap<bool> updated;                           ///< whether an optimizer updates it

private:
  Importer &importer_;
};

} // namespace autotp

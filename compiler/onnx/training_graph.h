/// \file What names stand for in a model's training graph, which is one with the model's own.
#pragma once

#include "compiler/onnx/importer.h"

namespace autotp {

struct TrainingGraph {
  explicit TrainingGraph(Importer &importer) : importer_(importer) {}

  const onnx::TrainingInfoProto &info() const { return importer_.proto().training_info(0); }
  const onnx::GraphProto &algorithm() const { return info().algorithm(); }

  /// Fills the tables; errors: an update_binding of nothing, or one that is there twice.
  llvm::Error readNames();
  /// Runs the initialization graph, which must fold to constants; weights of the model begin with what it gives them.
  llvm::Error initialise();
  /// What an initializer begins with.
  llvm::Expected<Tensor> initialOf(const std::string &name) const;

  using Wanted = llvm::StringMap<bool>;
  /// Adds the nodes of the training graph that `name` depends on, and the initializers and other names that these begin
  /// with.
  llvm::Error collect(const std::string &name, Wanted &nodes, Wanted &begins) const;
  Importer::Nodes inOrder(const Wanted &nodes) const;
  static bool isScalar(const onnx::TensorProto &tensor);

  // By name; looked up only.
  llvm::StringMap<const onnx::TensorProto *> initializers; ///< of both graphs
  llvm::StringMap<const onnx::NodeProto *> producers;      ///< of the training graph
  llvm::StringMap<std::string> next;                       ///< update_binding
  llvm::StringMap<Tensor> initial;                         ///< initialization_binding
  llvm::StringMap<bool> updated;                           ///< by an optimizer

private:
  Importer &importer_;
};

} // namespace autotp

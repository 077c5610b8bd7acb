/// \file Reads an ONNX model into our IR. No other folder knows ONNX.
#pragma once

#include "compiler/ir/exporter_facts.h"
#include "compiler/ir/updates.h"

#include "llvm/ADT/StringSet.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct ImportOptions; // compiler/onnx/import_options.h

struct ImportedModel {
  /// Its outputs are those of the model; float initializers are parameters until classify_parameters decides.
  Graph graph;
  std::string digest;
  /// By initializer: the module's own name of a weight that the exporter renamed (val_110:
  /// model.layers.0.mlp.up.weight), read from the scope of the product, lookup or convolution that uses it. Only looked
  /// up.
  llvm::StringMap<std::string> moduleNames;
  ExporterFacts exporter; ///< what the exporter says beside the graph
  /// Set if the model brings its own training graph. The loss is then the only output of the graph, and these updates
  /// name what is trained.
  std::optional<Updates> updates;
  /// Whether the model brings its backward. Outputs are then "loss" and the gradients of the loss, under the names that
  /// gradientName() gives.
  bool hasGradients = false;
  bool isBatchDynamic = false; ///< whether ImportOptions::microBatch is the size of some dimension
  /// Names of initializers that their uses show to be no parameters, such as running statistics.
  std::vector<std::string> untrained;
  std::vector<std::string> notes; ///< what the graph leaves out of the model, each once
  /// Inputs whose first dimension has a fixed size in the file while that of others is the dynamic batch. They are the
  /// same for all samples.
  llvm::StringSet<> withoutBatch;
  std::vector<ValueId> initializers; ///< float initializers in file order, which may be parameters
};

/// Imports opset 13 and newer. All shapes are static once the dimensions are bound. Nodes that depend neither on inputs
/// nor on float initializers are folded, and so are nodes on which a shape or an attribute depends, if they read
/// initializers of a few numbers only. External data is read beneath the model's folder only. A training graph in the
/// file (TrainingInfoProto) is read as training_info.h says; if `path` is a folder, it holds onnxruntime-training's
/// artifacts (artifacts.h).
/// What is folded and kept may take the budget of the options, by default twice the file and 1 GiB.
/// Errors: the file cannot be read or is inconsistent; a dimension is unbound; operators have no import row (all of
/// them at once, with their nodes).
llvm::Expected<ImportedModel> importModel(llvm::StringRef path, const ImportOptions &options);

} // namespace autotp

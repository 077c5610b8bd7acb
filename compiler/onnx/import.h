/// \file Reads an ONNX model into our IR: the only folder that knows ONNX.
#pragma once

#include "compiler/ir/exporter_facts.h"
#include "compiler/ir/updates.h"

#include "llvm/ADT/StringSet.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct ImportOptions {
  llvm::StringMap<int64_t> shapes; ///< sizes of dynamic dimensions by their names or places ("ids:1"), --shape
  int64_t microBatch = 0;          ///< size of a dynamic batch dimension; 0: 1
};

struct ImportedModel {
  Graph graph; ///< outputs are the model's; float initializers are constants with their names until classify_parameters
  std::string sha256;
  /// By initializer: what the exporter's module calls a weight that was renamed (val_110:
  /// model.layers.0.mlp.up.weight), read from the scope of the product, lookup or convolution that uses it. Looked up
  /// only.
  llvm::StringMap<std::string> moduleNames;
  ExporterFacts exporter; ///< what the exporter says beside the graph
  /// Where the model brings its own training graph: the loss is the graph's only output then, and these name what is
  /// trained.
  std::optional<Updates> updates;
  /// The model brings its backward: outputs are "loss" and, as gradientName() calls them, the gradients of the loss.
  bool hasGradients = false;
  bool isBatchDynamic = false; ///< ImportOptions::microBatch is the size of some dimension
  /// Names of initializers that are no parameters by what reads them, such as running statistics.
  std::vector<std::string> untrained;
  std::vector<std::string> notes; ///< what the graph leaves out of the model, each once
  /// Inputs whose first dimension has a size in the file, where that of others is the dynamic batch: what they hold is the
  /// same for all samples.
  llvm::StringSet<> withoutBatch;
  std::vector<ValueId> initializers; ///< float initializers in file order: what may be a parameter
};

/// Imports opset 13 and newer. Every shape is static once the dimensions are bound; what depends on no input and no
/// float initializer is folded on the way, and so is what a shape or an attribute needs of initializers that are numbers. External data is read beneath the model's folder only.
/// A training graph of its own (TrainingInfoProto) is read with it, see training_info.h; where `path` is a folder, it
/// holds onnxruntime-training's artifacts, see artifacts.h.
/// Errors: an unreadable or inconsistent file; an unbound dimension; all operators without an import row, with their
/// nodes, at once.
llvm::Expected<ImportedModel> importModel(llvm::StringRef path, const ImportOptions &options);

} // namespace autotp

/// \file The folder that onnxruntime-training's generate_artifacts writes: training_model.onnx (forward, loss and
/// backward), optimizer_model.onnx and checkpoint (the parameters). eval_model.onnx is not read.
///
/// After: the training graph as it is; what InPlaceAccumulatorV2 accumulates for a parameter is its gradient.
/// Parameters are those that the checkpoint trains; ImportedModel::updates holds what optimizer_model does: AdamWOptimizer or
/// SGDOptimizerV2, and InplaceClipGradNorm. The learning rate is whoever runs the plan's.
/// Errors, by name: a file that is missing or broken; a parameter without a gradient; another optimizer.
#pragma once

#include "compiler/onnx/importer.h"

namespace autotp {

llvm::Expected<ImportedModel> importArtifacts(llvm::StringRef folder, const ImportOptions &options);

} // namespace autotp

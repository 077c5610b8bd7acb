/// \file Imports the folder that onnxruntime-training's generate_artifacts writes: training_model.onnx (forward, loss
/// and backward), optimizer_model.onnx and checkpoint (the parameters). eval_model.onnx is not read.
///
/// The result is the training graph as it is, in which the value that InPlaceAccumulatorV2 accumulates for a parameter
/// is its gradient. The parameters are those that the checkpoint trains. ImportedModel::updates holds what
/// optimizer_model does: AdamWOptimizer or SGDOptimizerV2, and InplaceClipGradNorm. The user of the plan gives the
/// learning rate.
/// Errors, with names: a file is missing or broken; a parameter has no gradient; the optimizer is another one.
#pragma once

#include "compiler/onnx/importer.h"

namespace autotp {

llvm::Expected<ImportedModel> importArtifacts(llvm::StringRef folder, const ImportOptions &options);

} // namespace autotp

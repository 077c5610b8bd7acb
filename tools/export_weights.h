/// \file autotp-plan export: the weights of a checkpoint, for other programs.
#pragma once

#include "llvm/Support/Error.h"

#include <string>

namespace autotp {

struct WeightExport {
  std::string checkpoint; ///< a checkpoint, or a folder of them: the newest whole one
  std::string model;      ///< the .onnx that was trained; for an .onnx alone
  std::string config;     ///< the config.json from which autotp-model made the model; for a folder alone
  /// an .onnx: that model with the trained weights; a .safetensors: the weights, whole, in f32; a folder: these and the
  /// config, as transformers' from_pretrained() reads them
  std::string output;
};

/// Tied initializers get their values as well, transposed where they are. Errors: the checkpoint is damaged; the model is
/// another one, or has not the parameters of the config; files that cannot be written.
llvm::Error exportWeights(const WeightExport &options);

} // namespace autotp

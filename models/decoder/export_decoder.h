/// \file Writes a decoder as a file: config.json in, model.onnx out.
#pragma once

#include "compiler/onnx/write_model.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace autotp {

/// Location of external data that is nowhere: the initializer has a type and no contents.
constexpr const char *kNoContents = "autotp:none";

struct DecoderExport {
  std::string family;  ///< the model_type that the config has
  std::string config;  ///< a Hugging Face config.json
  std::string output;  ///< the .onnx file
  std::string weights; ///< what StoredWeights opens; empty: drawn from `seed`
  int64_t seed = 0;
  bool hasWeights = true; ///< false: external data at kNoContents
  int64_t batch = 1, seq = 128;
  int64_t mostInlineBytes = kMostInlineBytes; ///< more weights than that go to OUTPUT.data
};

/// Both files appear whole, by rename, the data first. Errors: those of the config and the weights; sizes out of range;
/// files that cannot be read or written.
llvm::Error exportDecoder(const DecoderExport &options);

} // namespace autotp

/// \file Writes a Llama as a file: config.json in, model.onnx out.
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace autotp {

/// Location of external data that is nowhere: the initializer has a type and no contents.
constexpr const char *kNoContents = "autotp:none";

struct LlamaExport {
  std::string config;  ///< a Hugging Face config.json
  std::string output;  ///< the .onnx file
  std::string weights; ///< a .safetensors file; empty: drawn from `seed`
  int64_t seed = 0;
  bool hasWeights = true; ///< false: external data at kNoContents
  int64_t batch = 1, seq = 128;
  int64_t mostInlineBytes =
      int64_t(3) << 29; ///< more weights than that (1.5 GiB) go to OUTPUT.data: a protobuf ends at 2 GiB
};

/// Both files appear whole, by rename, the data first. Errors: those of the config and the weights; sizes out of range;
/// files that cannot be read or written.
llvm::Error exportLlama(const LlamaExport &options);

} // namespace autotp

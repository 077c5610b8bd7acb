/// \file A folder for one test, and a small decoder's config in it.
#pragma once

#include "models/decoder/export_decoder.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace autotp {

constexpr const char *kTinyConfig =
    R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8,
  "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 128, "rms_norm_eps": 1e-5, "hidden_act": "silu")";

/// The same of another family, without the brace that ends it.
inline std::string tinyConfig(const std::string &family) {
  std::string text = kTinyConfig;
  return text.replace(text.find("llama"), 5, family);
}

class ScratchFolder : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("autotp-models", folder_)); }
  void TearDown() override { llvm::sys::fs::remove_directories(folder_); }

  std::string path(llvm::StringRef name) const {
    llvm::SmallString<128> result(folder_);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }

  /// Options that export the tiny config of a family with these keys more (", \"key\": value").
  DecoderExport tiny(const std::string &more = "", const std::string &family = "llama") const {
    std::ofstream(path("config.json")) << tinyConfig(family) << more << "}";
    DecoderExport options;
    options.family = family;
    options.config = path("config.json");
    options.output = path("model.onnx");
    options.batch = 2;
    options.seq = 16;
    return options;
  }

private:
  llvm::SmallString<128> folder_;
};

} // namespace autotp

/// \file A folder for one test, and a small decoder's config in it.
#pragma once

#include "models/decoder/export_decoder.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace autotp {

constexpr const char *kTinyConfig =
    R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8,
  "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 128, "rms_norm_eps": 1e-5, "hidden_act": "silu")";

/// The same of another family, with these keys in place of its own or beside them (", \"key\": value").
inline std::string tinyConfig(const std::string &family, const std::string &more) {
  llvm::json::Value config = llvm::cantFail(llvm::json::parse(kTinyConfig + std::string("}")));
  llvm::json::Object own = *config.getAsObject();
  own["model_type"] = family;
  for (const auto &entry : *config.getAsObject())
    if (more.find("\"" + entry.first.str() + "\":") != std::string::npos) own.erase(entry.first);
  std::string text = llvm::formatv("{0}", llvm::json::Value(std::move(own)));
  text.pop_back(); // the brace that ends it
  return text + more + "}";
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
    std::ofstream(path("config.json")) << tinyConfig(family, more);
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

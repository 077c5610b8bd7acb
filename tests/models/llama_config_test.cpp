// What a config.json may say, and how its mistakes are named.
#include "models/llama/config.h"
#include "models/llama/rotary_tables.h"
#include "runtime/base/error.h"
#include "tests/models/scratch_folder.h"

#include <cmath>

namespace autotp {
namespace {

llvm::Expected<LlamaConfig> parse(const std::string &more) {
  return parseLlamaConfig(kTinyConfig + more + "}", "config.json");
}

std::string errorOf(const std::string &text) {
  auto config = parseLlamaConfig(text, "config.json");
  return config ? "" : describe(config.takeError());
}
std::string errorWith(const std::string &more) { return errorOf(kTinyConfig + more + "}"); }

TEST(LlamaConfig, AbsentKeysHaveTheValuesOfHuggingFace) {
  LlamaConfig config = llvm::cantFail(parse(", \"head_dim\": null, \"rope_scaling\": null"));
  EXPECT_EQ(config.headSize, 8);
  EXPECT_EQ(config.kvHeads, 2);
  EXPECT_EQ(config.ropeTheta, 10000);
  EXPECT_EQ(config.normEpsilon, 1e-5);
  EXPECT_FALSE(config.isTied);
  EXPECT_FALSE(config.scaling);
}

TEST(LlamaConfig, GivenKeysAreRead) {
  LlamaConfig config =
      llvm::cantFail(parse(R"(, "head_dim": 16, "tie_word_embeddings": true, "rope_theta": 5e5, "rope_scaling":
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192})"));
  EXPECT_EQ(config.headSize, 16);
  EXPECT_TRUE(config.isTied);
  EXPECT_EQ(config.ropeTheta, 5e5);
  ASSERT_TRUE(config.scaling);
  EXPECT_EQ(config.scaling->factor, 8);
  EXPECT_EQ(config.scaling->originalLength, 8192);
  EXPECT_EQ(llvm::cantFail(parse(R"(, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0})")).ropeTheta, 7);
}

TEST(LlamaConfig, MistakesNameTheirKey) {
  EXPECT_EQ(errorWith(", \"head_dim\": 7"),
            "error: key 'head_dim' of config.json: gives heads of an odd size, 7, which have no halves to rotate");
  EXPECT_EQ(errorWith(", \"attention_bias\": true"),
            "error: key 'attention_bias' of config.json: is true: projections with a bias are not supported");
  EXPECT_EQ(
      errorWith(", \"rope_scaling\": {\"type\": \"yarn\"}"),
      "error: key 'rope_scaling.type' of config.json: 'yarn' is not supported\n  do:  only 'default' and 'llama3' are");
  EXPECT_EQ(errorWith(", \"rope_theta\": -1"), "error: key 'rope_theta' of config.json: is no positive number");
  EXPECT_EQ(errorWith(", \"tie_word_embeddings\": 1"),
            "error: key 'tie_word_embeddings' of config.json: is neither true nor false");
  EXPECT_EQ(errorOf("[]"), "error: config.json: it is no JSON object");
}

TEST(LlamaConfig, AllMistakesAreNamedAtOnce) {
  EXPECT_EQ(
      errorOf(
          R"({"model_type": "gpt2", "hidden_size": 10, "num_hidden_layers": 1.5, "num_attention_heads": 4, "num_key_value_heads": 3, "vocab_size": 0})"),
      "error: key 'model_type' of config.json: 'gpt2' is no llama\n"
      "error: key 'num_hidden_layers' of config.json: is no whole number from 1 to 4096\n"
      "error: key 'intermediate_size' of config.json: is missing\n"
      "error: key 'vocab_size' of config.json: is no whole number from 1 to 16777216\n"
      "error: key 'num_key_value_heads' of config.json: 3 does not divide num_attention_heads, which is 4\n"
      "error: key 'num_attention_heads' of config.json: 4 does not divide hidden_size, which is 10\n  do:  give "
      "head_dim");
}

TEST(RotaryTables, LowFrequenciesAreScaled) {
  LlamaConfig config = llvm::cantFail(parse(R"(, "head_dim": 4)"));
  RotaryTables plain = rotaryTables(config, 3);
  EXPECT_FLOAT_EQ(plain.cos[2 * 4 + 1], float(std::cos(2 * 0.01)));
  EXPECT_FLOAT_EQ(plain.sin[2 * 4 + 2], float(std::sin(2.0))); // the second half repeats the first
  config.scaling = Llama3Scaling{8, 1, 4, 64};                 // wavelengths 6.3 and 628: kept, and divided
  RotaryTables scaled = rotaryTables(config, 3);
  EXPECT_EQ(scaled.sin[2 * 4], plain.sin[2 * 4]);
  EXPECT_FLOAT_EQ(scaled.sin[2 * 4 + 1], float(std::sin(2 * 0.01 / 8)));
  config.scaling->originalLength = 628.3185307179586 * 2; // two turns: a third of the way from 1 to 4
  EXPECT_FLOAT_EQ(rotaryTables(config, 3).sin[2 * 4 + 1], float(std::sin(2 * (0.01 / 8 * 2 / 3 + 0.01 / 3))));
}

} // namespace
} // namespace autotp

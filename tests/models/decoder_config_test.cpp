// What a config.json may say, and how its mistakes are named.
#include "models/decoder/parse_config.h"
#include "models/decoder/rotary_tables.h"
#include "runtime/base/error.h"
#include "tests/models/scratch_folder.h"

#include <cmath>

namespace autotp {
namespace {

llvm::Expected<DecoderConfig> parse(const std::string &more, const std::string &family = "llama") {
  return parseDecoderConfig(tinyConfig(family, more), "config.json", family);
}

std::string errorOf(const std::string &text, const std::string &family = "llama") {
  auto config = parseDecoderConfig(text, "config.json", family);
  return config ? "" : describe(config.takeError());
}
std::string errorWith(const std::string &more, const std::string &family = "llama") {
  auto config = parse(more, family);
  return config ? "" : describe(config.takeError());
}

TEST(DecoderConfig, AbsentKeysHaveTheValuesOfHuggingFace) {
  DecoderConfig config = llvm::cantFail(parse(", \"head_dim\": null, \"rope_scaling\": null"));
  EXPECT_EQ(config.headSize, 8);
  EXPECT_EQ(config.kvHeads, 2);
  EXPECT_EQ(config.normEpsilon, 1e-5);
  EXPECT_FALSE(config.isTied);
  EXPECT_EQ(config.windows, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(config.rotary.frequencies.size(), 4u);
  EXPECT_FLOAT_EQ(config.rotary.frequencies[1], 0.1f);
  EXPECT_EQ(config.rotary.scale, 1);

  DecoderConfig gemma = llvm::cantFail(parse("", "gemma2"));
  EXPECT_EQ(gemma.headSize, 256);
  EXPECT_EQ(gemma.scoreCap, 50);
  EXPECT_EQ(gemma.logitCap, 30);
  EXPECT_EQ(gemma.scoreScale, 1.0 / 16);
  EXPECT_EQ(gemma.embeddingScale, 8);
  EXPECT_TRUE(gemma.isTied);
  EXPECT_EQ(gemma.windows, (std::vector<int64_t>{4096, 0}));
  EXPECT_EQ(gemma.activation, Activation::GeluTanh);

  EXPECT_EQ(llvm::cantFail(parse("", "mistral")).windows, (std::vector<int64_t>{4096, 4096}));
  EXPECT_EQ(llvm::cantFail(parse("", "phi3")).windows, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(llvm::cantFail(parse("", "qwen3")).headSize, 128);
  EXPECT_TRUE(llvm::cantFail(parse("", "qwen2")).hasQkvBias);
  EXPECT_FALSE(llvm::cantFail(parse("", "qwen2")).hasOutputBias);
}

TEST(DecoderConfig, GivenKeysAreRead) {
  DecoderConfig config = llvm::cantFail(parse(
      R"(, "head_dim": 16, "tie_word_embeddings": true, "attention_bias": true, "mlp_bias": true, "rope_theta": 1e4)"));
  EXPECT_EQ(config.headSize, 16);
  EXPECT_EQ(config.scoreScale, 0.25);
  EXPECT_TRUE(config.isTied && config.hasQkvBias && config.hasOutputBias && config.hasFfnBias);
  const std::string twice = R"(, "rope_theta": 5, "rope_parameters": {"rope_type": "default", "rope_theta": 16.0})";
  EXPECT_FLOAT_EQ(llvm::cantFail(parse(twice)).rotary.frequencies[1], 0.5f);
  EXPECT_EQ(llvm::cantFail(parse(R"(, "partial_rotary_factor": 0.5)", "phi3")).rotary.features(), 4);
  DecoderConfig uncapped = llvm::cantFail(
      parse(R"(, "attn_logit_softcapping": null, "final_logit_softcapping": 7, "query_pre_attn_scalar": 4)", "gemma2"));
  EXPECT_EQ(uncapped.scoreCap, 0);
  EXPECT_EQ(uncapped.logitCap, 7);
  EXPECT_EQ(uncapped.scoreScale, 0.5);
}

TEST(DecoderConfig, WindowsAreThoseOfTheLayers) {
  using Windows = std::vector<int64_t>;
  EXPECT_EQ(llvm::cantFail(parse(R"(, "sliding_window": 9)", "mistral")).windows, (Windows{9, 9}));
  EXPECT_EQ(llvm::cantFail(parse(R"(, "sliding_window": null)", "mistral")).windows, (Windows{0, 0}));
  EXPECT_EQ(llvm::cantFail(parse(R"(, "sliding_window": 9, "max_window_layers": 1)", "qwen2")).windows,
            (Windows{0, 0}));
  const std::string isOn = R"(, "use_sliding_window": true, "sliding_window": 9)";
  EXPECT_EQ(llvm::cantFail(parse(isOn + R"(, "max_window_layers": 1)", "qwen2")).windows, (Windows{0, 9}));
  EXPECT_EQ(llvm::cantFail(parse(isOn + R"(, "max_window_layers": 0)", "qwen3")).windows, (Windows{9, 9}));
  const std::string types = R"(, "layer_types": ["sliding_attention", "full_attention"])";
  EXPECT_EQ(llvm::cantFail(parse(isOn + types, "qwen3")).windows, (Windows{9, 0}));
  EXPECT_EQ(errorWith(types, "qwen3"),
            "error: key 'layer_types' of config.json: has 'sliding_attention', and there is no "
            "window\n  do:  set use_sliding_window and sliding_window");
  EXPECT_NE(errorWith(isOn + R"(, "layer_types": ["chunked_attention"])", "qwen2"), "");
}

TEST(DecoderConfig, MistakesNameTheirKey) {
  EXPECT_EQ(errorWith(", \"head_dim\": 7"),
            "error: key 'head_dim' of config.json: gives heads of an odd size, 7, which have no halves to rotate");
  EXPECT_EQ(errorWith(", \"rope_theta\": -1"), "error: key 'rope_theta' of config.json: is no positive number");
  EXPECT_EQ(errorWith(", \"tie_word_embeddings\": 1"),
            "error: key 'tie_word_embeddings' of config.json: is neither true nor false");
  EXPECT_EQ(errorOf("[]"), "error: config.json: it is no JSON object");
  EXPECT_EQ(errorWith(", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}"),
            "error: key 'rope_scaling.type' of config.json: 'dynamic' is not supported\n"
            "  do:  only 'default', 'linear', 'llama3', 'yarn' and 'longrope' are");
  EXPECT_EQ(errorWith(", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}", "phi3"),
            "error: key 'rope_scaling.type' of config.json: 'linear' is not supported\n"
            "  do:  of this family, only 'default' and 'longrope' are");
  EXPECT_EQ(errorWith(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 2]}"),
            "error: key 'rope_scaling.short_factor' of config.json: is no list of 4 positive numbers\n"
            "error: key 'rope_scaling.long_factor' of config.json: is missing");
}

TEST(DecoderConfig, TheCommandAndTheFileAgreeOnAFamily) {
  EXPECT_EQ(errorOf(R"({"model_type": "mistral"})"),
            "error: key 'model_type' of config.json: 'mistral' is no llama\n  do:  give mistral in place of llama");
  EXPECT_EQ(errorOf(R"({"model_type": "gpt2"})"),
            "error: key 'model_type' of config.json: 'gpt2' is not supported\n"
            "  do:  only gemma2, llama, mistral, phi3, qwen2 or qwen3 can be written");
}

/// Keys that would change the result, of families that have no place for them.
TEST(DecoderConfig, KeysThatAreNotUnderstoodAreRefused) {
  for (const char *key :
       {"\"attention_dropout\": 0.1", "\"sliding_window\": 16", "\"use_mrope\": true", "\"partial_rotary_factor\": 0.5",
        "\"hidden_act\": \"relu\"", "\"attn_logit_softcapping\": 50", "\"quantization_config\": {\"bits\": 4}",
        "\"layer_types\": [\"sliding_attention\"]"}) {
    const std::string error = errorWith(std::string(", ") + key);
    EXPECT_NE(error.find("key '" + llvm::StringRef(key).split(':').first.trim('"').str() + "' of config.json"),
              std::string::npos)
        << key << "\n"
        << error;
  }
  EXPECT_NE(errorWith(", \"attention_bias\": true", "mistral"), "");
  EXPECT_NE(errorWith(", \"mlp_bias\": true", "qwen3"), "");
  EXPECT_NE(errorWith(", \"layer_types\": [\"full_attention\", \"full_attention\"]", "mistral"), "");
  EXPECT_EQ(
      errorWith(", \"attention_dropout\": 0.0, \"use_mrope\": false, \"pretraining_tp\": 1, \"sliding_window\": null"),
      "");
}

TEST(DecoderConfig, AllMistakesAreNamedAtOnce) {
  EXPECT_EQ(
      errorOf(
          R"({"model_type": "llama", "hidden_size": 10, "num_hidden_layers": 1.5, "num_attention_heads": 4, "num_key_value_heads": 3, "vocab_size": 0, "hidden_act": "relu", "qkv_bias": true})"),
      "error: key 'hidden_act' of config.json: 'relu' is not supported\n"
      "  do:  only 'silu', 'gelu' and 'gelu_pytorch_tanh', and their other names, are\n"
      "error: key 'qkv_bias' of config.json: has a value that the graph of a llama has no place for\n"
      "  do:  remove the key, or set it to 0, if the model is to be trained without it\n"
      "error: key 'num_hidden_layers' of config.json: is no whole number from 1 to 4096\n"
      "error: key 'intermediate_size' of config.json: is missing\n"
      "error: key 'vocab_size' of config.json: is no whole number from 1 to 16777216\n"
      "error: key 'num_key_value_heads' of config.json: 3 does not divide num_attention_heads, which is 4\n"
      "error: key 'num_attention_heads' of config.json: 4 does not divide hidden_size, which is 10\n  do:  give "
      "head_dim");
}

/// The frequencies of heads of four features, and the scale of their tables.
RotaryAngles anglesOf(const std::string &rope) {
  return llvm::cantFail(parse(R"(, "head_dim": 4, "max_position_embeddings": 64, "rope_scaling": )" + rope)).rotary;
}

TEST(RotaryTables, HoldCosinesAndSines) {
  RotaryTables plain = rotaryTables({{1.0f, 0.01f}, {0.5f, 0.25f}, 3, 2}, 3);
  EXPECT_FLOAT_EQ(plain.cos[2 * 4 + 1], 2 * float(std::cos(2 * 0.01)));
  EXPECT_FLOAT_EQ(plain.sin[2 * 4 + 2], 2 * float(std::sin(2.0))); // the second half repeats the first
  RotaryTables far = rotaryTables({{1.0f, 0.01f}, {0.5f, 0.25f}, 3, 2}, 4);
  EXPECT_FLOAT_EQ(far.sin[2 * 4 + 1], 2 * float(std::sin(0.5))); // longer than 3
}

TEST(RotaryAngles, LinearDividesAll) {
  RotaryAngles angles = anglesOf(R"({"type": "linear", "factor": 4})");
  EXPECT_FLOAT_EQ(angles.frequencies[0], 0.25f);
  EXPECT_FLOAT_EQ(angles.frequencies[1], 0.0025f);
}

TEST(RotaryAngles, Llama3DividesLowFrequencies) {
  const std::string type = R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4)";
  RotaryAngles angles = anglesOf(type + "}"); // wavelengths 6.3 and 628: kept, and divided
  EXPECT_EQ(angles.frequencies[0], 1);
  EXPECT_FLOAT_EQ(angles.frequencies[1], 0.01f / 8);
  angles = anglesOf(type + R"(, "original_max_position_embeddings": 1257})"); // 2.0006 turns, a third of the way
  const double smooth = (1257 * 0.01 / 6.283185307179586 - 1) / 3;
  EXPECT_FLOAT_EQ(angles.frequencies[1], float(0.01 / 8 * (1 - smooth) + 0.01 * smooth));
}

TEST(RotaryAngles, YarnScalesTheTablesToo) {
  RotaryAngles angles = anglesOf(R"({"type": "yarn", "factor": 4, "original_max_position_embeddings": 64})");
  EXPECT_NEAR(angles.scale, 0.1 * std::log(4.0) + 1, 1e-12);
  EXPECT_FLOAT_EQ(angles.frequencies[1], 0.0025f);
  EXPECT_EQ(anglesOf(R"({"type": "yarn", "factor": 4, "attention_factor": 1.5})").scale, 1.5);
  EXPECT_EQ(anglesOf(R"({"type": "yarn"})").scale, 1); // 64 / 64
}

TEST(RotaryAngles, LongropeHasTwoSets) {
  RotaryAngles angles = anglesOf(
      R"({"type": "longrope", "short_factor": [1, 2], "long_factor": [4, 5], "original_max_position_embeddings": 16})");
  EXPECT_EQ(angles.shortLength, 16);
  EXPECT_FLOAT_EQ(angles.frequencies[1], 0.005f);
  EXPECT_FLOAT_EQ(angles.longFrequencies[1], 0.002f);
  EXPECT_NEAR(angles.scale, std::sqrt(1 + std::log(4.0) / std::log(16.0)), 1e-12);
}

} // namespace
} // namespace autotp

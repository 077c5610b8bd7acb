#include "models/decoder/parse_config.h"

#include "models/decoder/config_keys.h"
#include "models/decoder/family.h"
#include "models/decoder/parse_rotary.h"
#include "models/decoder/refused_keys.h"
#include "runtime/base/error.h"
#include "runtime/base/parse_json.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

namespace autotp {
namespace {

struct NamedActivation {
  llvm::StringLiteral name;
  Activation activation;
};
/// transformers, activations.py, of which some are equal.
constexpr NamedActivation kActivations[] = {
    {"silu", Activation::Silu},         {"swish", Activation::Silu},
    {"gelu", Activation::Gelu},         {"gelu_pytorch_tanh", Activation::GeluTanh},
    {"gelu_new", Activation::GeluTanh}, {"gelu_fast", Activation::GeluTanh}};

Activation readActivation(ConfigKeys &keys, const Family &family) {
  const std::string name = keys.text(family.activationKey, family.activation);
  for (const NamedActivation &known : kActivations)
    if (known.name == name) return known.activation;
  keys.fail(family.activationKey, "'" + escaped(name) + "' is not supported",
            "only 'silu', 'gelu' and 'gelu_pytorch_tanh', and their other names, are");
  return Activation::Silu;
}

void readSizes(ConfigKeys &keys, const Family &family, DecoderConfig &config) {
  constexpr int64_t kMostHeads = 1 << 12, kMostFeatures = 1 << 24, kMostLayers = 1 << 12, kMostHeadSize = 1 << 10;
  config.hidden = keys.size("hidden_size", kMostFeatures);
  config.layers = keys.size("num_hidden_layers", kMostLayers);
  config.heads = keys.size("num_attention_heads", kMostHeads);
  const bool isEqual = family.kvHeads == 0 || keys.isNull("num_key_value_heads");
  config.kvHeads = keys.size("num_key_value_heads", kMostHeads, isEqual ? config.heads : family.kvHeads);
  config.ffn = keys.size("intermediate_size", kMostFeatures);
  config.vocab = keys.size("vocab_size", kMostFeatures);
  if (config.heads % config.kvHeads)
    keys.fail(
        "num_key_value_heads",
        llvm::formatv("{0} does not divide num_attention_heads, which is {1}", config.kvHeads, config.heads).str());
  const bool isDerived = !keys.has("head_dim") && family.headSize == 0;
  if (isDerived && config.hidden % config.heads)
    keys.fail("num_attention_heads",
              llvm::formatv("{0} does not divide hidden_size, which is {1}", config.heads, config.hidden).str(),
              "give head_dim");
  config.headSize =
      keys.size("head_dim", kMostHeadSize, family.headSize ? family.headSize : config.hidden / config.heads);
  if (isDerived && config.headSize > kMostHeadSize)
    keys.fail("num_attention_heads", llvm::formatv("gives heads of more than {0} features", kMostHeadSize).str());
  if (config.headSize % 2)
    keys.fail(isDerived ? "num_attention_heads" : "head_dim",
              llvm::formatv("gives heads of an odd size, {0}, which have no halves to rotate", config.headSize).str());
}

/// Which layers have the window, by `layer_types`.
std::vector<bool> readLayerTypes(ConfigKeys &keys, const std::vector<std::string> &types, size_t layers) {
  std::vector<bool> has;
  for (const std::string &type : types) {
    if (type != "full_attention" && type != "sliding_attention")
      keys.fail("layer_types", "'" + escaped(type) + "' is not supported",
                "only 'full_attention' and 'sliding_attention' are");
    has.push_back(type == "sliding_attention");
  }
  if (has.size() != layers)
    keys.fail("layer_types", llvm::formatv("has {0} elements, and num_hidden_layers is {1}", has.size(), layers).str());
  has.resize(layers);
  return has;
}

std::vector<int64_t> readWindows(ConfigKeys &keys, const Family &family, int64_t layers) {
  constexpr int64_t kMost = int64_t(1) << 40;
  std::vector<int64_t> windows(size_t(layers), 0);
  if (!family.readsWindow()) return windows;
  std::vector<bool> has(windows.size());
  auto types = family.readsLayerTypes() ? keys.texts("layer_types") : std::nullopt;
  const int64_t from = keys.size("max_window_layers", kMost, 28, 0);
  for (size_t layer = 0; layer < has.size(); ++layer)
    has[layer] = family.windows == WindowRule::Always ||
                 (family.windows == WindowRule::ByFlag && int64_t(layer) >= from) ||
                 (family.windows == WindowRule::Alternates && layer % 2 == 0);
  if (types) has = readLayerTypes(keys, *types, has.size());
  const bool isOff = family.readsWindowFlag() && !keys.boolean("use_sliding_window");
  const bool isNone = isOff || keys.isNull("sliding_window");
  const int64_t window = isNone ? 0 : keys.size("sliding_window", kMost, family.window);
  if (window == 0 && types && llvm::is_contained(has, true))
    keys.fail("layer_types", "has 'sliding_attention', and there is no window",
              family.readsWindowFlag() ? "set use_sliding_window and sliding_window" : "set sliding_window");
  for (size_t layer = 0; layer < has.size(); ++layer)
    windows[layer] = has[layer] ? window : 0;
  return windows;
}

double readCap(ConfigKeys &keys, llvm::StringRef key, double absent) {
  return keys.isNull(key) ? 0 : keys.positive(key, absent);
}

void readRest(ConfigKeys &keys, const Family &family, DecoderConfig &config) {
  const bool attentionBias = family.readsAttentionBias && keys.boolean("attention_bias");
  config.hasQkvBias = family.hasQkvBias || attentionBias;
  config.hasOutputBias = attentionBias;
  config.hasFfnBias = family.readsFfnBias && keys.boolean("mlp_bias");
  config.normEpsilon = keys.positive("rms_norm_eps", family.normEpsilon);
  config.isTied = keys.boolean("tie_word_embeddings", family.isTied);
  config.scoreScale = 1 / std::sqrt(double(config.headSize));
  if (family.readsCaps()) {
    config.scoreScale = 1 / std::sqrt(keys.positive("query_pre_attn_scalar", family.queryScalar));
    config.scoreCap = readCap(keys, "attn_logit_softcapping", family.scoreCap);
    config.logitCap = readCap(keys, "final_logit_softcapping", family.logitCap);
  }
  config.normsAddOne = family.normsAddOne;
  config.normsHeads = family.normsHeads;
  config.normsResults = family.normsResults;
  config.isFused = family.isFused;
  if (family.scalesEmbedding) config.embeddingScale = std::sqrt(double(config.hidden));
}

/// The family that the command, if it names one, and the file agree on.
llvm::Expected<const Family *> agreedFamily(ConfigKeys &keys, llvm::StringRef where, llvm::StringRef wanted) {
  const std::string place = ("key 'model_type' of " + where).str();
  const std::string said = keys.text("model_type", wanted);
  const Family *family = findFamily(said);
  if (!family)
    return problem(place, "'" + escaped(said) + "' is not supported", "only " + familyNames() + " can be written");
  if (said != wanted && !wanted.empty())
    return problem(place, "'" + said + "' is no " + wanted.str(), "give " + said + " in place of " + wanted.str());
  return family;
}

} // namespace

llvm::Expected<DecoderConfig> parseDecoderConfig(llvm::StringRef text, llvm::StringRef where, llvm::StringRef wanted) {
  llvm::Expected<llvm::json::Value> value = parseJson(text);
  if (!value) return problem(where, llvm::toString(value.takeError()));
  const llvm::json::Object *object = value->getAsObject();
  if (!object) return problem(where, "it is no JSON object");
  llvm::Error errors = llvm::Error::success();
  ConfigKeys keys(*object, where, "", errors);
  llvm::Expected<const Family *> family = agreedFamily(keys, where, wanted);
  if (!family) return llvm::joinErrors(std::move(errors), family.takeError());
  DecoderConfig config{};
  config.family = (*family)->name.str();
  config.activation = readActivation(keys, **family);
  refuseKeys(keys, **family);
  readSizes(keys, **family, config);
  config.rotary = parseRotary(keys, **family, config.headSize);
  config.windows = readWindows(keys, **family, config.layers);
  readRest(keys, **family, config);
  if (errors) return errors;
  return config;
}

} // namespace autotp

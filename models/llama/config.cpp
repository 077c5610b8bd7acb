#include "models/llama/config.h"

#include "runtime/base/error.h"
#include "runtime/base/parse_json.h"

#include "llvm/Support/JSON.h"

#include <cmath>

namespace autotp {
namespace {

namespace json = llvm::json;

/// Reads keys of one object; what is wrong with them gathers in `errors`.
class Keys {
public:
  Keys(const json::Object &object, llvm::StringRef where, std::string prefix, llvm::Error &errors)
      : object_(object), where_(where), prefix_(std::move(prefix)), errors_(errors) {}

  /// The value, or nullptr where the key is absent or null.
  const json::Value *find(llvm::StringRef key) const {
    const json::Value *value = object_.get(key);
    return value && value->kind() != json::Value::Null ? value : nullptr;
  }

  int64_t size(llvm::StringRef key, int64_t most, std::optional<int64_t> absent = {}) {
    const json::Value *value = find(key);
    if (!value && absent) return *absent;
    if (!value) return fail(key, "is missing"), 1;
    llvm::Optional<int64_t> number = value->getAsInteger();
    if (number && *number >= 1 && *number <= most) return *number;
    return fail(key, llvm::formatv("is no whole number from 1 to {0}", most).str()), 1;
  }

  double positive(llvm::StringRef key, std::optional<double> absent = {}) {
    const json::Value *value = find(key);
    if (!value && absent) return *absent;
    if (!value) return fail(key, "is missing"), 1;
    llvm::Optional<double> number = value->getAsNumber();
    if (number && std::isfinite(*number) && *number > 0) return *number;
    return fail(key, "is no positive number"), 1;
  }

  bool boolean(llvm::StringRef key) {
    const json::Value *value = find(key);
    if (!value) return false;
    if (llvm::Optional<bool> found = value->getAsBoolean()) return *found;
    return fail(key, "is neither true nor false"), false;
  }

  /// The text of `key`, or "" where it is absent.
  std::string text(llvm::StringRef key) {
    const json::Value *value = find(key);
    if (!value) return "";
    if (llvm::Optional<llvm::StringRef> found = value->getAsString()) return found->str();
    return fail(key, "is no string"), "";
  }

  const json::Object *object(llvm::StringRef key) {
    const json::Value *value = find(key);
    if (!value) return nullptr;
    if (const json::Object *found = value->getAsObject()) return found;
    return fail(key, "is no object"), nullptr;
  }

  void fail(llvm::StringRef key, llvm::StringRef what, llvm::StringRef remedy = "") {
    errors_ =
        llvm::joinErrors(std::move(errors_), problem(("key '" + prefix_ + key + "' of " + where_).str(), what, remedy));
  }

private:
  const json::Object &object_;
  llvm::StringRef where_;
  std::string prefix_;
  llvm::Error &errors_;
};

void readRope(Keys &keys, LlamaConfig &config, llvm::StringRef where, llvm::Error &errors) {
  // Newer configs hold theta and scaling together, in rope_parameters.
  const char *name = keys.find("rope_parameters") ? "rope_parameters" : "rope_scaling";
  config.ropeTheta = keys.positive("rope_theta", 10000.0);
  const json::Object *object = keys.object(name);
  if (!object) return;
  Keys rope(*object, where, std::string(name) + ".", errors);
  config.ropeTheta = rope.positive("rope_theta", config.ropeTheta);
  const char *typeKey = rope.find("rope_type") ? "rope_type" : "type";
  std::string type = rope.text(typeKey);
  if (type.empty() || type == "default") return;
  if (type != "llama3")
    return rope.fail(typeKey, "'" + escaped(type) + "' is not supported", "only 'default' and 'llama3' are");
  Llama3Scaling scaling{rope.positive("factor"), rope.positive("low_freq_factor"), rope.positive("high_freq_factor"),
                        rope.positive("original_max_position_embeddings")};
  if (scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
    rope.fail("high_freq_factor", "is not above low_freq_factor");
  config.scaling = scaling;
}

/// Keys that would change what the model computes, in ways that are not written here.
void refuseVariants(Keys &keys) {
  std::string type = keys.text("model_type"), activation = keys.text("hidden_act");
  if (!type.empty() && type != "llama") keys.fail("model_type", "'" + escaped(type) + "' is no llama");
  if (!activation.empty() && activation != "silu")
    keys.fail("hidden_act", "'" + escaped(activation) + "' is not supported", "only 'silu' is");
  for (const char *bias : {"attention_bias", "mlp_bias"})
    if (keys.boolean(bias)) keys.fail(bias, "is true: projections with a bias are not supported");
}

void readSizes(Keys &keys, LlamaConfig &config) {
  constexpr int64_t kMostHeads = 1 << 12, kMostFeatures = 1 << 24, kMostLayers = 1 << 12, kMostHeadSize = 1 << 10;
  config.hidden = keys.size("hidden_size", kMostFeatures);
  config.layers = keys.size("num_hidden_layers", kMostLayers);
  config.heads = keys.size("num_attention_heads", kMostHeads);
  config.kvHeads = keys.size("num_key_value_heads", kMostHeads, config.heads);
  config.ffn = keys.size("intermediate_size", kMostFeatures);
  config.vocab = keys.size("vocab_size", kMostFeatures);
  if (config.heads % config.kvHeads)
    keys.fail(
        "num_key_value_heads",
        llvm::formatv("{0} does not divide num_attention_heads, which is {1}", config.kvHeads, config.heads).str());
  bool isDerived = !keys.find("head_dim");
  if (isDerived && config.hidden % config.heads)
    keys.fail("num_attention_heads",
              llvm::formatv("{0} does not divide hidden_size, which is {1}", config.heads, config.hidden).str(),
              "give head_dim");
  config.headSize = keys.size("head_dim", kMostHeadSize, config.hidden / config.heads);
  if (isDerived && config.headSize > kMostHeadSize)
    keys.fail("num_attention_heads", llvm::formatv("gives heads of more than {0} features", kMostHeadSize).str());
  if (config.headSize % 2)
    keys.fail(isDerived ? "num_attention_heads" : "head_dim",
              llvm::formatv("gives heads of an odd size, {0}, which have no halves to rotate", config.headSize).str());
}

} // namespace

llvm::Expected<LlamaConfig> parseLlamaConfig(llvm::StringRef text, llvm::StringRef where) {
  llvm::Expected<json::Value> value = parseJson(text);
  if (!value) return problem(where, "it is no JSON: " + llvm::toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  if (!object) return problem(where, "it is no JSON object");
  llvm::Error errors = llvm::Error::success();
  Keys keys(*object, where, "", errors);
  LlamaConfig config{};
  refuseVariants(keys);
  readSizes(keys, config);
  readRope(keys, config, where, errors);
  config.normEpsilon = keys.positive("rms_norm_eps", 1e-6);
  config.isTied = keys.boolean("tie_word_embeddings");
  if (errors) return errors;
  return config;
}

} // namespace autotp

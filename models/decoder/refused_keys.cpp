#include "models/decoder/refused_keys.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {
namespace {

struct RefusedKey {
  llvm::StringLiteral key;
  double neutral; ///< the number, or truth value, that changes nothing
  bool (*isRead)(const Family &family) = [](const Family &) { return false; };
};

constexpr RefusedKey kRefused[] = {
    {"attention_bias", 0, [](const Family &f) { return f.readsAttentionBias; }},
    {"mlp_bias", 0, [](const Family &f) { return f.readsFfnBias; }},
    {"qkv_bias", 0},
    {"attention_dropout", 0},
    {"resid_pdrop", 0},
    {"embd_pdrop", 0},
    {"hidden_dropout", 0},
    {"attn_logit_softcapping", 0, [](const Family &f) { return f.readsCaps(); }},
    {"final_logit_softcapping", 0, [](const Family &f) { return f.readsCaps(); }},
    {"query_pre_attn_scalar", 0, [](const Family &f) { return f.readsCaps(); }},
    {"sliding_window", 0, [](const Family &f) { return f.readsWindow(); }},
    {"use_sliding_window", 0, [](const Family &f) { return f.readsWindowFlag(); }},
    {"use_bidirectional_attention", 0},
    {"use_mrope", 0},
    {"use_qk_norm", 0},
    {"qk_layernorm", 0},
    {"rope_interleaved", 0},
    {"alibi", 0},
    {"clip_qkv", 0},
    {"attention_multiplier", 0},
    {"embedding_multiplier", 1},
    {"residual_multiplier", 1},
    {"logits_scaling", 1},
    {"logit_scale", 1},
    {"num_local_experts", 0},
    {"num_experts", 0},
    {"is_encoder_decoder", 0},
    {"add_cross_attention", 0},
};

bool isNeutral(const llvm::json::Value &value, double neutral) {
  if (llvm::Optional<bool> truth = value.getAsBoolean()) return double(*truth) == neutral;
  llvm::Optional<double> number = value.getAsNumber();
  return number && *number == neutral;
}

} // namespace

void refuseKeys(ConfigKeys &keys, const Family &family) {
  for (const RefusedKey &row : kRefused)
    if (const llvm::json::Value *value = keys.find(row.key);
        value && !row.isRead(family) && !isNeutral(*value, row.neutral))
      keys.fail(row.key, "has a value that the graph of a " + family.name.str() + " has no place for",
                "remove the key, or set it to " + llvm::formatv("{0}", int(row.neutral)).str() +
                    ", if the model is to be trained without it");
  if (keys.has("quantization_config"))
    keys.fail("quantization_config", "says that the weights are quantized, and those are not trained",
              "give the model that was quantized");
  auto isWhole = [](const std::string &type) { return type == "full_attention"; };
  if (!family.readsLayerTypes() && !family.readsWindow())
    if (auto types = keys.texts("layer_types"); types && !llvm::all_of(*types, isWhole))
      keys.fail("layer_types", "has windows, which a " + family.name.str() + " has not", "remove it");
  if (!family.readsLayerTypes() && family.readsWindow() && keys.has("layer_types"))
    keys.fail("layer_types", "is not read by this family: all its layers have the window of sliding_window",
              "remove it, or set sliding_window to null if all layers see all keys");
}

} // namespace autotp

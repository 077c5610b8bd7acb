/// \file The families of decoders whose config.json is understood: what differs between them, as rows.
#pragma once

#include "models/decoder/decoder_config.h"

#include "llvm/ADT/StringRef.h"

namespace autotp {

/// Which layers see a window of keys only.
enum class WindowRule : uint8_t {
  Never,
  Always,    ///< all, if there is a `sliding_window`
  ByFlag,    ///< with `use_sliding_window` those of `layer_types`, or those from `max_window_layers` on
  Alternates ///< those of `layer_types`, or every other from the first on
};

/// One model_type of transformers. Numbers are those of absent keys.
struct Family {
  llvm::StringLiteral name;
  llvm::StringLiteral activationKey = "hidden_act";
  llvm::StringLiteral activation = "silu";
  int64_t kvHeads = 0;  ///< 0: as many as heads
  int64_t headSize = 0; ///< 0: what hidden_size and num_attention_heads give
  int64_t positions;    ///< max_position_embeddings
  /// original_max_position_embeddings, which is a key of its own here; 0: a key of rope_scaling only.
  int64_t shortPositions = 0;
  int64_t window = 4096;
  WindowRule windows = WindowRule::Never;
  double normEpsilon = 1e-6;
  double queryScalar = 0;            ///< query_pre_attn_scalar; 0: the size of a head is taken
  double scoreCap = 0, logitCap = 0; ///< attn_logit_softcapping and final_logit_softcapping
  bool isTied = false;
  bool readsAttentionBias = false; ///< attention_bias: of all four projections
  bool readsFfnBias = false;       ///< mlp_bias
  bool readsPartialRotary = false; ///< partial_rotary_factor
  bool hasQkvBias = false;
  bool normsAddOne = false, normsHeads = false, normsResults = false;
  bool scalesEmbedding = false; ///< by the root of hidden_size
  bool isFused = false;
  bool hasLongRopeOnly = false; ///< all scaling of positions is longrope, whatever else it is called

  bool readsCaps() const { return queryScalar != 0; } ///< the three keys of these numbers
  bool readsWindow() const { return windows != WindowRule::Never; }
  bool readsWindowFlag() const { return windows == WindowRule::ByFlag; }
  bool readsLayerTypes() const { return windows == WindowRule::ByFlag || windows == WindowRule::Alternates; }
};

/// nullptr if there is none of that name.
const Family *findFamily(llvm::StringRef name);
/// "gemma2, llama, ... or qwen3", for messages.
std::string familyNames();

} // namespace autotp

/// \file What a decoder-only transformer computes, as data: all that the builder of its graph knows of a model family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace autotp {

enum class Activation : uint8_t { Silu, Gelu, GeluTanh };

/// The rotation of queries and keys (Su et al. 2021): radians a position, for each pair of the first 2 n features of a
/// head. The features after those are not rotated.
struct RotaryAngles {
  std::vector<float> frequencies;
  std::vector<float> longFrequencies; ///< those of sequences longer than `shortLength`, where they differ
  int64_t shortLength = 0;
  double scale = 1; ///< of the cosines and sines

  int64_t features() const { return 2 * int64_t(frequencies.size()); }
};

struct DecoderConfig {
  std::string family; ///< model_type of config.json
  int64_t hidden, layers, heads, kvHeads, headSize, ffn, vocab;
  std::vector<int64_t> windows; ///< of each layer, the keys that a query sees, its own among them; 0: all up to its own
  RotaryAngles rotary;
  Activation activation = Activation::Silu;
  double normEpsilon = 1e-6;
  double scoreScale;   ///< of the products of queries and keys
  double scoreCap = 0; ///< these become cap * tanh(score / cap); 0: they stay
  double logitCap = 0; ///< likewise
  double embeddingScale = 1;
  bool normsAddOne = false;  ///< a norm multiplies by 1 + weight
  bool normsHeads = false;   ///< each query's and key's head has a norm
  bool normsResults = false; ///< what attention and feed-forward give has a norm, before it is added
  bool hasQkvBias = false, hasOutputBias = false, hasFfnBias = false;
  bool isFused = false; ///< one product gives queries, keys and values, and one the gate and what it gates
  bool isTied = false;  ///< lm_head is the transpose of the embedding
};

} // namespace autotp

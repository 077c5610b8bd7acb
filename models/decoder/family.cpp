#include "models/decoder/family.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {
namespace {

/// Source: transformers 5, models/*/configuration_*.py for what absent keys mean, modeling_*.py for what is computed.
constexpr Family kFamilies[] = {
    {.name = "gemma2",
     .activationKey = "hidden_activation",
     .activation = "gelu_pytorch_tanh",
     .kvHeads = 4,
     .headSize = 256,
     .positions = 8192,
     .windows = WindowRule::Alternates,
     .queryScalar = 256,
     .scoreCap = 50,
     .logitCap = 30,
     .isTied = true,
     .readsAttentionBias = true,
     .normsAddOne = true,
     .normsResults = true,
     .scalesEmbedding = true},
    {.name = "llama", .positions = 2048, .readsAttentionBias = true, .readsFfnBias = true},
    {.name = "mistral", .kvHeads = 8, .positions = 131072, .windows = WindowRule::Always},
    {.name = "phi3",
     .positions = 4096,
     .shortPositions = 4096,
     .window = 0,
     .windows = WindowRule::Always,
     .normEpsilon = 1e-5,
     .readsPartialRotary = true,
     .isFused = true,
     .hasLongRopeOnly = true},
    {.name = "qwen2", .kvHeads = 32, .positions = 32768, .windows = WindowRule::ByFlag, .hasQkvBias = true},
    {.name = "qwen3",
     .kvHeads = 32,
     .headSize = 128,
     .positions = 32768,
     .windows = WindowRule::ByFlag,
     .readsAttentionBias = true,
     .normsHeads = true}};

} // namespace

const Family *findFamily(llvm::StringRef name) {
  const auto *at = llvm::find_if(kFamilies, [&](const Family &family) { return family.name == name; });
  return at == std::end(kFamilies) ? nullptr : at;
}

std::string familyNames() {
  std::string text;
  for (const Family &family : kFamilies)
    text += (&family == kFamilies ? "" : &family + 1 == std::end(kFamilies) ? " or " : ", ") + family.name.str();
  return text;
}

} // namespace autotp

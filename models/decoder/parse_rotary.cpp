// parse_rotary.cpp: the formulas are those of transformers, modeling_rope_utils, and are computed in f32, one operation
// after the other, as there: at a position of 100 000 a difference in the last place of a frequency can be seen.
#include "models/decoder/parse_rotary.h"

#include "runtime/base/error.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

namespace autotp {
namespace {

constexpr int64_t kMostPositions = int64_t(1) << 40;
constexpr double kTwoPi = 6.283185307179586;

/// What the formulas of all types read.
struct Unscaled {
  double theta;
  int64_t features, positions, shortLength;

  /// theta ^ (2 pair / features), the inverse of the frequency.
  float power(size_t pair) const {
    return float(std::pow(double(float(theta)), double(float(2 * pair) / float(features))));
  }
  double ratio() const { return double(positions) / double(shortLength); }
};

void scaleLinear(ConfigKeys &rope, const Unscaled &, RotaryAngles &angles) {
  const auto factor = float(rope.positive("factor"));
  for (float &frequency : angles.frequencies)
    frequency /= factor;
}

/// Low frequencies are divided by `factor`, those between two bounds by a blend.
void scaleLlama3(ConfigKeys &rope, const Unscaled &base, RotaryAngles &angles) {
  const double factor = rope.positive("factor"), low = rope.positive("low_freq_factor"),
               high = rope.positive("high_freq_factor");
  if (high <= low) return rope.fail("high_freq_factor", "is not above low_freq_factor");
  const auto length = float(base.shortLength);
  for (float &frequency : angles.frequencies) {
    const float wave = float(kTwoPi) / frequency, smooth = (length / wave - float(low)) / float(high - low);
    if (wave > float(double(base.shortLength) / low))
      frequency /= float(factor);
    else if (wave >= float(double(base.shortLength) / high))
      frequency = (1 - smooth) * frequency / float(factor) + smooth * frequency;
  }
}

/// Peng et al. 2023: features that turn less than `beta_slow` times in the first length are interpolated, those that
/// turn more than `beta_fast` times stay, those between are blended.
void scaleYarn(ConfigKeys &rope, const Unscaled &base, RotaryAngles &angles) {
  const double factor = rope.positive("factor", base.ratio()), fast = rope.positive("beta_fast", 32),
               slow = rope.positive("beta_slow", 1), features = double(base.features);
  auto featureOf = [&](double turns) {
    return features * std::log(double(base.shortLength) / (turns * kTwoPi)) / (2 * std::log(base.theta));
  };
  double first = featureOf(fast), last = featureOf(slow);
  if (rope.boolean("truncate", true)) first = std::floor(first), last = std::ceil(last);
  first = std::max(first, 0.0), last = std::min(last, features - 1);
  if (first == last) last += 0.001;
  for (size_t pair = 0; pair < angles.frequencies.size(); ++pair) {
    const float power = base.power(pair), ramp = (float(pair) - float(first)) / float(last - first),
                kept = 1 - std::clamp(ramp, 0.0f, 1.0f);
    angles.frequencies[pair] = 1 / (float(factor) * power) * (1 - kept) + 1 / power * kept;
  }
  auto magnitude = [&](double by) { return factor <= 1 ? 1 : 0.1 * by * std::log(factor) + 1; };
  const bool isPair = rope.has("mscale") && rope.has("mscale_all_dim");
  const double above = isPair ? rope.positive("mscale") : 1, below = isPair ? rope.positive("mscale_all_dim") : 0;
  angles.scale = rope.positive("attention_factor", magnitude(above) / magnitude(below));
}

/// Ding et al. 2024: a divisor for each frequency, and others for sequences that exceed the first length.
void scaleLong(ConfigKeys &rope, const Unscaled &base, RotaryAngles &angles) {
  const size_t pairs = angles.frequencies.size();
  const std::vector<double> near = rope.positives("short_factor", pairs), far = rope.positives("long_factor", pairs);
  angles.longFrequencies.resize(pairs);
  for (size_t pair = 0; pair < pairs; ++pair) {
    angles.frequencies[pair] = 1 / (float(near[pair]) * base.power(pair));
    angles.longFrequencies[pair] = 1 / (float(far[pair]) * base.power(pair));
  }
  angles.shortLength = base.shortLength;
  const double factor = rope.positive("factor", base.ratio());
  const double scale = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(double(base.shortLength)));
  angles.scale = rope.positive("attention_factor", scale);
}

struct RotaryType {
  llvm::StringLiteral name;
  void (*scale)(ConfigKeys &rope, const Unscaled &base, RotaryAngles &angles);
};
constexpr RotaryType kTypes[] = {
    {"linear", scaleLinear}, {"llama3", scaleLlama3}, {"yarn", scaleYarn}, {"longrope", scaleLong}};

/// nullptr: "default", or a type that is not known.
const RotaryType *findType(ConfigKeys &rope, const Family &family) {
  const char *key = rope.has("rope_type") ? "rope_type" : "type";
  std::string name = rope.text(key, "default");
  if (name == "default") return nullptr;
  if (family.hasLongRopeOnly && (name == "su" || name == "yarn")) name = "longrope";
  const auto *type = llvm::find_if(kTypes, [&](const RotaryType &known) { return known.name == name; });
  if (type != std::end(kTypes) && (!family.hasLongRopeOnly || name == "longrope")) return type;
  rope.fail(key, "'" + escaped(name) + "' is not supported",
            family.hasLongRopeOnly ? "of this family, only 'default' and 'longrope' are"
                                   : "only 'default', 'linear', 'llama3', 'yarn' and 'longrope' are");
  return nullptr;
}

/// The rotated features of a head, by partial_rotary_factor.
int64_t featuresOf(ConfigKeys &keys, ConfigKeys *rope, const Family &family, int64_t headSize) {
  constexpr const char *kKey = "partial_rotary_factor";
  ConfigKeys &from = rope && rope->has(kKey) ? *rope : keys;
  if (!from.has(kKey)) return headSize;
  const double part = from.positive(kKey);
  if (!family.readsPartialRotary) {
    if (part != 1) from.fail(kKey, "is not 1: heads of this family are rotated whole", "remove it");
    return headSize;
  }
  const auto features = int64_t(double(headSize) * std::min(part, 1.0));
  if (part > 1 || features < 2 || features % 2)
    return from.fail(kKey, llvm::formatv("gives no even part of a head's {0} features", headSize).str()), headSize;
  return features;
}

} // namespace

RotaryAngles parseRotary(ConfigKeys &keys, const Family &family, int64_t headSize) {
  // Newer configs hold theta and scaling together, in rope_parameters; transformers prefers the older spelling.
  std::optional<ConfigKeys> rope = keys.within(keys.has("rope_scaling") ? "rope_scaling" : "rope_parameters");
  Unscaled base{keys.positive("rope_theta", 10000.0), 0, 1, 1};
  base.features = featuresOf(keys, rope ? &*rope : nullptr, family, headSize);
  if (rope) base.theta = rope->positive("rope_theta", base.theta);
  RotaryAngles angles;
  for (size_t pair = 0; pair < size_t(base.features) / 2; ++pair)
    angles.frequencies.push_back(1 / base.power(pair));
  if (!rope) return angles;
  for (const char *kind : {"full_attention", "sliding_attention"})
    if (rope->has(kind))
      rope->fail(kind, "positions that differ between layers are not supported", "give one set for all");
  const RotaryType *type = findType(*rope, family);
  if (!type) return angles;
  constexpr const char *kShort = "original_max_position_embeddings";
  base.positions = keys.size("max_position_embeddings", kMostPositions, family.positions);
  const bool isOutside = keys.has(kShort) || family.shortPositions;
  base.shortLength = isOutside ? keys.size(kShort, kMostPositions, family.shortPositions)
                               : rope->size(kShort, kMostPositions, base.positions);
  type->scale(*rope, base, angles);
  return angles;
}

} // namespace autotp

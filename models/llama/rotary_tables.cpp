#include "models/llama/rotary_tables.h"

#include <cmath>

namespace autotp {
namespace {

constexpr double kTwoPi = 6.283185307179586;

/// Radians a position, of feature pair `pair`. Source of the scaling: transformers, modeling_rope_utils, llama3.
double frequencyOf(const LlamaConfig &config, int64_t pair) {
  double frequency = std::pow(config.ropeTheta, -2.0 * double(pair) / double(config.headSize));
  if (!config.scaling) return frequency;
  const Llama3Scaling &s = *config.scaling;
  double turns = s.originalLength * frequency / kTwoPi; // in the length of the first training
  if (turns < s.lowFrequencyFactor) return frequency / s.factor;
  if (turns > s.highFrequencyFactor) return frequency;
  double smooth = (turns - s.lowFrequencyFactor) / (s.highFrequencyFactor - s.lowFrequencyFactor);
  return (1 - smooth) * frequency / s.factor + smooth * frequency;
}

} // namespace

RotaryTables rotaryTables(const LlamaConfig &config, int64_t length) {
  const int64_t half = config.headSize / 2;
  RotaryTables tables;
  tables.cos.resize(size_t(length * config.headSize));
  tables.sin.resize(tables.cos.size());
  for (int64_t pair = 0; pair < half; ++pair) {
    const float frequency = float(frequencyOf(config, pair));
    for (int64_t position = 0; position < length; ++position) {
      double angle = double(float(position) * frequency); // in f32, as the weights were trained with
      size_t first = size_t(position * config.headSize + pair), second = first + size_t(half);
      tables.cos[first] = tables.cos[second] = float(std::cos(angle));
      tables.sin[first] = tables.sin[second] = float(std::sin(angle));
    }
  }
  return tables;
}

} // namespace autotp

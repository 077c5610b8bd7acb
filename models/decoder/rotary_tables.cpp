#include "models/decoder/rotary_tables.h"

#include <cmath>

namespace autotp {

RotaryTables rotaryTables(const RotaryAngles &angles, int64_t length) {
  const bool isLong = !angles.longFrequencies.empty() && length > angles.shortLength;
  const std::vector<float> &frequencies = isLong ? angles.longFrequencies : angles.frequencies;
  const auto scale = float(angles.scale);
  RotaryTables tables;
  tables.cos.resize(size_t(length * angles.features()));
  tables.sin.resize(tables.cos.size());
  for (size_t pair = 0; pair < frequencies.size(); ++pair)
    for (int64_t position = 0; position < length; ++position) {
      const auto angle = double(float(position) * frequencies[pair]); // in f32, as the weights were trained with
      const size_t first = size_t(position * angles.features()) + pair, second = first + frequencies.size();
      tables.cos[first] = tables.cos[second] = float(std::cos(angle)) * scale;
      tables.sin[first] = tables.sin[second] = float(std::sin(angle)) * scale;
    }
  return tables;
}

} // namespace autotp

/// \file Normal numbers that depend on a key, a stream and an element's index alone, the same bits on any machine.
#pragma once

#include <cstdint>
#include <span>

namespace autotp {

/// The standard normal number of element `index` of stream `stream`: elements 4 b to 4 b + 3 are two pairs of Box and Muller
/// (1958) from block b of Philox.
double philoxNormal(uint64_t key, uint64_t stream, uint64_t index);

/// values[i] = mean + deviation * philoxNormal(key, stream, `first` + i), many at a time.
void drawNormals(std::span<float> values, uint64_t key, uint64_t stream, uint64_t first, double mean, double deviation);

} // namespace autotp

/// \file Numbers by which a graph names its values and nodes, for headers that need no more of it.
#pragma once

#include <cstdint>

namespace autotp {

using ValueId = uint32_t;
using NodeId = uint32_t;
constexpr uint32_t kNone = ~0u;

} // namespace autotp

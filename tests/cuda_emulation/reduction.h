/// \file Element-wise combination of ranks' buffers.
#pragma once

#include "nccl.h"

#include <cstddef>
#include <span>
#include <vector>

namespace emulation {

size_t bytesOf(ncclDataType_t type);
/// out = the buffers combined in their order, rounded to `type` after each step, as each hop of the library does.
void combine(std::span<const std::byte *const> buffers, std::byte *out, size_t elements, ncclDataType_t type,
             ncclRedOp_t operation);

} // namespace emulation

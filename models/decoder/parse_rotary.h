/// \file The frequencies of rotary positions, out of rope_theta and rope_scaling, or rope_parameters, of a config.json.
#pragma once

#include "models/decoder/config_keys.h"
#include "models/decoder/family.h"

namespace autotp {

/// Of heads of `headSize` features. Types: default, linear, llama3, yarn, longrope. Mistakes gather in `keys`.
RotaryAngles parseRotary(ConfigKeys &keys, const Family &family, int64_t headSize);

} // namespace autotp

/// \file Keys of a config.json that change what a model computes, in ways that are not written here.
#pragma once

#include "models/decoder/config_keys.h"
#include "models/decoder/family.h"

namespace autotp {

/// Each such key whose value would change something is a mistake, with its remedy.
void refuseKeys(ConfigKeys &keys, const Family &family);

} // namespace autotp

/// \file docs/guide/deepspeed.md, written from the rows of known_keys.h.
#pragma once

#include <string>

namespace autotp {

std::string deepSpeedPage();

} // namespace autotp

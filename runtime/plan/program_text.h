/// \file All that a program does as lines, for people and for comparing.
#pragma once

#include "runtime/plan/plan.pb.h"

#include <string>
#include <vector>

namespace autotp {

/// `hasAddresses`: with the bytes where each tensor lies. They shift with every change, so a comparison leaves them out.
std::vector<std::string> linesOf(const plan::Program &program, bool hasAddresses);

} // namespace autotp

/// \file For messages: which input of the model a step's indices come from.
#pragma once

#include "runtime/plan/plan.pb.h"

#include <string>

namespace autotp {

/// The name of the fed input from which the integers that `step` reads were made, through the steps before it in its
/// section; "" where that is none. `step` is one of the program's own.
std::string inputBehind(const plan::Program &program, const plan::Step &step);

} // namespace autotp

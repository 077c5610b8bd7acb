/// \file Finds, for messages, the input of the model from which the indices of a step come.
#pragma once

#include "runtime/plan/plan.pb.h"

#include <string>

namespace autotp {

/// The name of the fed input from which the integers that `step` reads were computed, by the steps before it in its
/// section; empty if there is none. `step` must be one of the program's own.
std::string inputBehind(const plan::Program &program, const plan::Instruction &instruction);

} // namespace autotp

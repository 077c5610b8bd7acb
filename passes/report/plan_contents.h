/// \file What is written of a compiled model, from wherever its weights come.
#pragma once

#include "passes/emit/write_plan.h"

namespace autotp {

struct CompiledModel;

/// Refers to `compiled`. `manifest` is what describe() makes of it.
PlanContents planContents(const CompiledModel &compiled, Manifest manifest);

} // namespace autotp

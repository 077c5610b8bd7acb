/// \file What is written of a compiled model, from wherever its weights come.
#pragma once

#include "passes/emit/write_plan.h"

namespace autotp {

struct CompiledModel;
struct CompileOptions;

/// Refers to `compiled` and `options`. `manifest` is what describe() makes of them.
PlanContents planContents(const CompiledModel &compiled, const CompileOptions &options, Manifest manifest);

} // namespace autotp

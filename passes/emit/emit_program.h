/// \file Turns one coordinate's sections and their addresses into the program that the runtime executes.
#pragma once

#include "passes/emit/plan_memory.h"
#include "runtime/plan/plan.pb.h"

namespace autotp {

/// `global` names the parameters. Two coordinates with equal programs give equal messages.
plan::Program emitProgram(const Graph &global, const RankProgram &program, const MemoryPlan &memory);

} // namespace autotp

/// \file Turns the sections of one tp rank and their addresses into the program that the runtime executes.
#pragma once

#include "runtime/plan/plan.pb.h"

namespace autotp {

class Graph;
struct MemoryPlan;
struct RankProgram;

/// `global` gives the names, shapes and aliases of the parameters. Tp ranks with equal programs get equal messages, so
/// that write_plan stores one.
plan::Program emitProgram(const Graph &global, const RankProgram &program, const MemoryPlan &memory);

} // namespace autotp

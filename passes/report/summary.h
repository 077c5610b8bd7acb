/// \file What a compile tells the user: one screen on the terminal, and the same in the manifest.
#pragma once

#include "passes/pipeline.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/plan.pb.h"

namespace autotp {

/// Everything of the manifest but files and ranks, which writePlan() adds.
Manifest describe(const CompiledModel &compiled, const CompileOptions &options);

/// Model, parameters, mesh, sharded axes and whole ones with reasons, collectives a step with bytes, memory a rank.
void printSummary(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os);

/// What each initializer is, and by which evidence, one a line: --explain parameters.
void explainParameters(const CompiledModel &compiled, llvm::raw_ostream &os);

} // namespace autotp

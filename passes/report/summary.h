/// \file What a compile reports: one screen on the terminal, and the same in the manifest.
#pragma once

#include "runtime/plan/manifest.h"

#include "llvm/Support/raw_ostream.h"

namespace autotp {

struct CompiledModel;
struct CompileOptions;

/// The whole manifest except files and ranks, which writePlan() adds.
Manifest describe(const CompiledModel &compiled, const CompileOptions &options);

/// Prints the model, parameters, mesh, sharded axes, whole axes with reasons, collectives of a step with bytes, and
/// memory of a rank.
void printSummary(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os);

/// Prints each initializer with its classification and evidence, one a line, for --explain parameters.
void explainParameters(const CompiledModel &compiled, llvm::raw_ostream &os);

} // namespace autotp

/// \file The compiler, from a model file to the proven programs of every tp rank. pipeline.cpp holds the list of passes.
#pragma once

#include "passes/pass.h"

namespace autotp {

/// Runs the passes in order, up to LookInto::stopAfter. A batch of one sample has no axis, and sums over it are told from
/// others by the outermost dimension: where a loss of several micro-batches has such sums, the graph of a batch of two
/// is made smaller, if it can be, else the graph of one is compiled.
llvm::Expected<CompiledModel> compile(const CompileOptions &options);

/// All passes, in the order in which they run.
llvm::ArrayRef<Pass> allPasses();
/// Their names: what --print-after and --stop-after take.
std::vector<std::string> passNames();
/// Those that may be left out: what --skip-pass takes.
std::vector<std::string> optionalPassNames();
/// The last that works on the global graph, before anything is sharded.
std::string lastGraphPass();

/// What a plan of these options is proven to do.
CertifyOptions certifyOptions(const StepOptions &step, const CompiledModel &compiled);

} // namespace autotp

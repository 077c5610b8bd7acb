/// \file The compiler, from a model file to the proven programs of every tp rank. pipeline.cpp has the list of passes.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

struct CertifyOptions;
struct CompiledModel;
struct CompileOptions;
struct Pass;
struct StepOptions;

/// Runs the passes in order, up to LookInto::stopAfter. A batch of one sample has no axis, so sums over it can only be
/// guessed by the outermost dimension. If the loss has several micro-batches of one sample, the model is therefore
/// imported with two samples and bound to one; if that fails, it is compiled with one.
llvm::Expected<CompiledModel> compile(const CompileOptions &options);

/// All passes, in the order in which they run.
llvm::ArrayRef<Pass> allPasses();
/// Their names, for --print-after and --stop-after.
std::vector<std::string> passNames();
/// The names of passes that may be left out, for --skip-pass.
std::vector<std::string> optionalPassNames();
/// The last pass that works on the global graph, before anything is sharded.
std::string lastGraphPass();

/// What the certificate must prove of a plan with these options.
CertifyOptions certifyOptions(const StepOptions &step, const CompiledModel &compiled);

} // namespace autotp

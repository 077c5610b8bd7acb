/// \file What a plan was made from: written into its manifest, and read back to make its graph again.
#pragma once

#include "passes/pipeline.h"
#include "runtime/plan/manifest.h"

namespace autotp {

/// The model and every option that the global graph and the update depend on.
llvm::json::Object sourceOf(const CompileOptions &options, llvm::StringRef sha256);

/// The options that a plan was compiled with, as far as sourceOf() keeps them, to make its graph again: they end after
/// the last pass on the global graph. `model`: another place of the model; empty: where it was.
/// Errors: a manifest that does not say.
llvm::Expected<CompileOptions> optionsOf(const Manifest &manifest, llvm::StringRef model);

/// Makes the graph of a plan again and proves its programs against it (compiler/certify). Errors: another model than
/// the plan's, by its digest; and all of certify().
llvm::Expected<Certificate> certifyPlan(const Manifest &manifest, llvm::ArrayRef<plan::Program> programs,
                                        llvm::StringRef model);

} // namespace autotp

/// \file What a plan was made from. It is written into the manifest, and read back to make the plan's graph again.
#pragma once

#include "passes/pipeline.h"
#include "runtime/plan/manifest.h"

namespace autotp {

/// The model, and every option on which the global graph and the updates depend.
llvm::json::Object sourceOf(const CompileOptions &options, llvm::StringRef sha256);

/// The options with which a plan was compiled, as far as sourceOf() keeps them; with them, compile() ends after the
/// last pass on the global graph. `model` is the path of the model if it was moved, else empty. Errors: the manifest
/// has no such source.
llvm::Expected<CompileOptions> optionsOf(const Manifest &manifest, llvm::StringRef model);

/// Makes the graph of a plan again and proves its programs against it (compiler/certify). Errors: the model's digest is
/// not that of the plan; and the errors of certify().
llvm::Expected<Certificate> certifyPlan(const Manifest &manifest, llvm::ArrayRef<plan::Program> programs,
                                        llvm::StringRef model);

} // namespace autotp

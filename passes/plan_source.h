/// \file What a plan was made from. It is written into the manifest, and read back to make the plan's graph again.
#pragma once

#include "runtime/plan/manifest.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct Certificate;
struct CompileOptions;

/// The model and every option that the global graph and the update depend on: the rows that have a key.
llvm::json::Object sourceOf(const CompileOptions &options, llvm::StringRef digest);

/// The options that a plan was compiled with, as far as its manifest keeps them, to make its graph again: they end after
/// the last pass on the global graph. `model`: another place of the model; empty: where it was.
/// Errors: a manifest that does not say, or says what no option can be.
llvm::Expected<CompileOptions> optionsOf(const Manifest &manifest, llvm::StringRef model);

/// Makes the graph of a plan again and proves its programs against it (compiler/certify). Errors: the model's digest is
/// not that of the plan; and the errors of certify().
llvm::Expected<Certificate> certifyPlan(const Manifest &manifest, llvm::ArrayRef<plan::Program> programs,
                                        llvm::StringRef model);

} // namespace autotp

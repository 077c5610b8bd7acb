/// \file Runs a list of passes: each is timed, shown where that was asked for, and followed by the verifier of the form
/// that it leaves.
#pragma once

#include "passes/pass.h"

namespace autotp {

/// Ends after LookInto::stopAfter. Leaves out what the options or the model exclude. The first error ends the run;
/// state.form says how far it came, and what the pass left is shown before it is verified, so that it can be read.
llvm::Error runPasses(llvm::ArrayRef<Pass> passes, PassState &state);

} // namespace autotp

/// \file Runs a list of passes. Each is timed, shown if that was asked for, and followed by the verifier of its form.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace autotp {

struct Pass;
struct PassState;

/// Ends after LookInto::stopAfter, and leaves out passes that the options or the model exclude. The first error ends
/// the run; state.form then says how far it came. A pass's result is shown before it is verified, so that a broken one
/// can be read.
llvm::Error runPasses(llvm::ArrayRef<Pass> passes, PassState &state);

} // namespace autotp

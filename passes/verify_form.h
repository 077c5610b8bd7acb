/// \file The verifier of each Form: what must hold after every pass, in release builds too.
///   Imported, Training   the global graph: compiler/ops/verify.h; Training: each parameter has its gradient among the
///                        outputs
///   WithAxes, Chosen     nothing more
///   Placed               each Partial sum is reduced before a use that cannot take it: passes/shard/check_reductions.h
///   Local, Scheduled     each tp rank's graphs: compiler/ops/verify.h
///   Addressed            each value of these lies within the rank's arena
///   Emitted              each kernel has data that some device computes it in
#pragma once

#include "passes/pass.h"

namespace autotp {

/// Errors name the node, value or step.
llvm::Error verifyForm(Form form, const PassState &state);

} // namespace autotp

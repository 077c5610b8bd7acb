/// \file Verifies what each Form promises, after every pass, in release builds too.
///   Imported, Training   the global graph (compiler/ops/verify.h); Training: each parameter has its gradient as an
///   output
///   WithAxes, Chosen     nothing more
///   Placed               each Partial value is reduced before a use that cannot take it
///   (passes/shard/check_reductions.h)
///   Local, Scheduled     the graphs of each tp rank (compiler/ops/verify.h)
///   Addressed            each value begins within the rank's arena
///   Emitted              each kernel has data of types in which some device computes it
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>

namespace autotp {

enum class Form : uint8_t;
struct PassState;

/// Errors name the node, value or step.
llvm::Error verifyForm(Form form, const PassState &state);

} // namespace autotp

/// \file Makes the gated half of a SwiGLU feed-forward one operator. Runs after recognise_silu.h.
/// Before:  %y = mul(silu(%gate), %up)
/// After:   %y = swiglu(%gate, %up)
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseSwiglu(Graph &graph);

} // namespace autotp

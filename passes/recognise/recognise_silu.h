/// \file Makes x times its sigmoid one operator.
/// Before:  %y = mul(%x, sigmoid(%x))      or div(%x, add(1, exp(neg(%x))))
/// After:   %y = silu(%x)
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseSilu(Graph &graph);

} // namespace autotp

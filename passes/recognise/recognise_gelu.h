/// \file Makes both forms of GELU one operator, whatever the order of their factors.
/// Before:  %y = mul(mul(%x, 0.5), add(erf(div(%x, sqrt 2)), 1))
///          %y = mul(mul(%x, 0.5), add(tanh(mul(add(%x, mul(pow(%x, 3), 0.044715)), sqrt(2/pi))), 1))
/// After:   %y = gelu(%x) {tanh=0}      %y = gelu(%x) {tanh=1}
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseGelu(Graph &graph);

} // namespace autotp

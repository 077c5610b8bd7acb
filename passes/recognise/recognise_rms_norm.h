/// \file Makes a written-out root-mean-square normalisation one operator.
/// Before:  %s = pow(%x, 2);  %m = mul(reduce_sum(%s) {axes=[last], keepdims=1}, 1/h);  %r = rsqrt(add(%m, eps))
///          %y = mul(%w, mul(%x, %r))            (or reciprocal(sqrt), div by sqrt, mul(%x, %x), in any order)
/// After:   %y, _ = rms_norm(%x, %w) {epsilon=eps}
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseRmsNorm(Graph &graph);

} // namespace autotp

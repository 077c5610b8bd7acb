/// \file Makes a written-out layer normalisation one operator.
/// Before:  %c = sub(%x, mean(%x));  %r = sqrt(add(mean(pow(%c, 2)), eps));  %y = add(mul(div(%c, %r), %w), %b)
///          (mean: reduce_sum over the last dimension times 1/h; or rsqrt, reciprocal, mul(%c, %c), in any order)
/// After:   %y, _, _ = layer_norm(%x, %w, %b) {epsilon=eps}
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error recogniseLayerNorm(Graph &graph);

} // namespace autotp

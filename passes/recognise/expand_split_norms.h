/// \file Writes out norms over a dimension that the graph divides into factors (all heads of a query at once, as in
/// OLMo-2), so that the factors can be sharded. As one operator, a norm needs its whole dimension on every rank.
/// Before:  %y, _ = rms_norm(%x [b, s, (heads d)], %scale);  %q = reshape(%y) [b, s, heads, d]
/// After:   %m = mul(reduce_sum(mul(%x, %x)), 1/n);  %y = mul(mul(%x, rsqrt(add(%m, epsilon))), %scale)
/// The statistics are then a small Partial sum. Norms over a single axis, such as the hidden size, stay as they are.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/Support/Error.h"

namespace autotp {

llvm::Error expandSplitNorms(Graph &graph);

} // namespace autotp

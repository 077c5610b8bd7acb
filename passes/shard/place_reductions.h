/// \file Decides where the pending sums of a sharded graph are reduced: the only state that placement has to compute,
/// since everything else is a pure function of the terms and the assignment.
/// Before:  tp = {f};  %y = matmul(%h, %w2) contracts f
/// After:   %y is created Partial and reduced at once, or after what it passes through, whichever sends less
/// An exact minimum vertex cut over the joint forward and backward graph (Ford and Fulkerson 1956; Dinic 1970):
/// vertices are values that can be Partial, with the bytes that reducing them sends; the source is the operators that
/// create the sum, the sink the uses that cannot take it. Among equal cuts the one nearest to the source. A value is
/// reduced once, for all its users; the gradient of a parameter that is whole on tp stays pending, for its bucket.
#pragma once

#include "compiler/sharding/local_program.h"

namespace autotp {

/// `region`: what works under an assignment of its own; a sum is reduced before it.
Reductions placeReductions(const Graph &graph, const GraphAxes &axes, const Assignment &assignment, int tp,
                           const SequenceRegion *region = nullptr);

/// Whether a pending sum may pass through operand `operand` of `node` to its result `result`.
bool passesThrough(const Graph &graph, const GraphAxes &axes, const Assignment &assignment, NodeId node,
                   unsigned operand, unsigned result);

} // namespace autotp

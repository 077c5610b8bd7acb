/// \file Decides where the Partial sums of a sharded graph are reduced. This is the only part of a placement that has
/// to be computed, since Shard and Replicate follow from terms and assignment.
/// Before:  tp = {f};  %y = matmul(%h, %w2) contracts f
/// After:   %y is Partial, and is reduced at once or after nodes that it passes through, whichever sends less
/// The choice is an exact minimum vertex cut over forward and backward together (Ford and Fulkerson 1956; Dinic 1970).
/// Vertices are the values that can be Partial, weighted by the bytes that reducing them sends. The source stands for
/// the nodes that make a result Partial, the sink for the uses that cannot take a Partial value. Of equal cuts, the one
/// nearest to the source is taken. A value is reduced once for all its uses. The gradient of a parameter that every tp
/// rank holds whole stays Partial, since its bucket reduces it.
#pragma once

#include "compiler/sharding/local_program.h"

namespace autotp {

/// `region` is the part of the graph that works under an assignment of its own; a Partial value is reduced before it
/// enters.
Reductions placeReductions(const Graph &graph, const GraphAxes &axes, const Assignment &assignment,
                           const SequenceRegion *region = nullptr);

/// Whether the result `result` of `node` is Partial if operand `operand` is, so that the sum may be reduced later.
bool passesThrough(const Graph &graph, const GraphAxes &axes, const Assignment &assignment, NodeId node,
                   unsigned operand, unsigned result);

} // namespace autotp

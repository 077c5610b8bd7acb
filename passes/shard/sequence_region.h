/// \file Sequence parallelism: the operators between sharded blocks hold a part of the sequence each (Korthikanti et
/// al. 2022). Nothing is new but a second assignment, `chosen + sequence`, for a region of the graph.
/// Before:  %y reduced over tp, whole on every rank; norms and residual sums computed by all ranks alike
/// After:   %y reduce-scattered along the sequence; norms and sums on 1/tp of it; all-gathered where a block reads it
/// A node is in the region if no chosen leaf is in it, sequence leaves are in at most one dimension of each of its
/// values, are nowhere contracted (but for parameters' gradients, which are then pending) nor needed whole, and it reads
/// a reduced value or one of the region.
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// The leaves of the sequence, even over tp. Those of dimension 1 of each of `tokens`, inputs [batch, sequence]: an
/// encoder-decoder has two. Errors: there is none.
llvm::Expected<Assignment> sequenceLeaves(const GraphAxes &axes, llvm::ArrayRef<ValueId> tokens, int tp);

struct SequencePlacement {
  SequenceRegion region;
  Reductions reductions; ///< placed again: what the region reads is reduced before it
};

/// `sequence`: leaves of the sequence alone.
SequencePlacement placeSequence(const Graph &graph, const GraphAxes &axes, const Assignment &chosen,
                                const Assignment &sequence, int tp);

} // namespace autotp

/// \file Sequence parallelism: between the sharded blocks, each tp rank holds a part of the sequence (Korthikanti et
/// al. 2022). It is expressed as a second assignment, `chosen + sequence`, for a region of the graph.
/// Before:  %y is all-reduced over tp and whole on every rank; all ranks compute the same norms and residual sums
/// After:   %y is reduce-scattered along the sequence; norms and sums run on 1/tp of it; blocks read it after an
/// all-gather
/// A node is in the region if all of this holds: it has no chosen leaf; each of its values has sequence leaves in at
/// most one dimension; it needs no sequence leaf whole and contracts none (except for a parameter's gradient, which is
/// Partial then); and it reads a sum that is being reduced, or a value of the region.
#pragma once

#include "compiler/sharding/local_program.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// Assigns the leaves of the sequence evenly over tp: those of dimension 1 of each of `tokens`, inputs of shape [batch,
/// sequence]. An encoder-decoder model has two such inputs. Errors: no input has a sequence.
llvm::Expected<Assignment> sequenceLeaves(const GraphAxes &axes, llvm::ArrayRef<ValueId> tokens, int tp);

struct SequencePlacement {
  SequenceRegion region;
  Reductions reductions; ///< placed anew for this region, so that a Partial value is reduced before the region reads it
};

/// `chosen`: the leaves that chooseAxes took. `sequence`: what sequenceLeaves returned.
SequencePlacement placeSequence(const Graph &graph, const GraphAxes &axes, const Assignment &chosen,
                                const Assignment &sequence);

} // namespace autotp

/// \file With ZeRO 3, parameters lie in slices over dp. This gathers each bucket of parameters before it is used.
/// Before:  %y = matmul(%x, %w)
/// After:   %bucket = all_gather(%slice) over dp;  %w1 = reshape(slice(%bucket));  %y = matmul(%x, %w1)
/// At most two buckets are whole at a time, unless one node reads more. A needed bucket replaces the one whose last use
/// lies longest back, and is gathered right after that last use, so that the gather overlaps with the nodes that use
/// the other bucket. A bucket that is used again later, by the backward or because of tied weights, is gathered again
/// then.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

/// `slices`: for each bucket, the source in `microStep` that is this rank's slice of it.
void gatherBuckets(Graph &microStep, llvm::ArrayRef<PlacedParameter> parameters, llvm::ArrayRef<ValueId> slices,
                   int dp);

} // namespace autotp

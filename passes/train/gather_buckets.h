/// \file Parameters that lie in slices over dp (ZeRO 3) are gathered, by bucket, before they are used.
/// Before:  %y = matmul(%x, %w)
/// After:   %bucket = all_gather(%slice) over dp;  %w1 = reshape(slice(%bucket));  %y = matmul(%x, %w1)
/// At most two buckets are whole at a time (more only where one node reads more). One that is needed takes the place of
/// the bucket whose last use lies longest back, and is gathered right after that use: while the bucket before it
/// computes. What is used again later, in backward or because it is tied, is gathered again then.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

/// `slices`: of each bucket the source that is this rank's slice of it.
void gatherBuckets(Graph &microStep, llvm::ArrayRef<PlacedParameter> parameters, llvm::ArrayRef<ValueId> slices,
                   int dp);

} // namespace autotp

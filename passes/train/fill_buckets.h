/// \file Decides in which bucket each parameter lies, and which slice of a bucket a rank keeps, accumulates and
/// updates.
/// Before:  the parameters of one tp rank, and where their gradients are computed
/// After:   each parameter in a bucket of its kind (BucketKind), in the order in which gradients are ready; buckets are
/// padded so that ranks can divide them evenly
/// The ZeRO stages differ only in these slices. Buckets of parameters that every tp rank holds whole are the same on
/// all tp ranks.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

struct StepOptions;
struct Updates;

struct FilledBuckets {
  std::vector<PlacedParameter> parameters;
  std::vector<BucketLayout> buckets; ///< the numbers of their states are not set yet
};

/// `local` is the program of one tp rank before build_steps, with gradients.
FilledBuckets fillBuckets(const Graph &global, const LocalProgram &local, const Updates &updates,
                          const StepOptions &options);

/// Whether a rank keeps only a slice of the parameters (stage 3).
bool slicesParameters(const StepOptions &options);
/// The slice of the bucket of dp rank 0, as one of `dp` equal parts, with the stride to the slices of the next dp
/// ranks.
BucketSlice sliceOverDp(const BucketLayout &bucket, int dp);

} // namespace autotp

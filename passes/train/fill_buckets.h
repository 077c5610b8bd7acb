/// \file Which parameter lies in which bucket, and which slice of a bucket a rank keeps, accumulates and updates.
/// Before:  parameters of one coordinate, and where their gradients are computed
/// After:   each in a bucket of its kind (dtype; rule of the update; whole on tp or not; gradient pending over tp or not), one after the other
///          in the order in which the gradients are ready, padded so that the ranks divide it
/// ZeRO is nothing else than these slices. Where a kind is whole on tp, all coordinates have the same buckets of it.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

struct StepOptions;
struct Updates;

struct FilledBuckets {
  std::vector<PlacedParameter> parameters;
  std::vector<BucketLayout> buckets; ///< without states
};

FilledBuckets fillBuckets(const Graph &global, const LocalProgram &local, const Updates &updates,
                          const StepOptions &options);

/// Whether ranks keep slices of parameters only (stage 3).
bool slicesParameters(const StepOptions &options);
/// The dp_rank-th of equal slices.
BucketSlice sliceOverDp(const BucketLayout &bucket, int dp);

} // namespace autotp

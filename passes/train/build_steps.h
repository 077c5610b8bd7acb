/// \file From one coordinate's local gradients to its programs: micro_step accumulates, optimizer_step reduces over
/// dp, clips, updates and gathers. ZeRO is nothing else than which of these values are slices: see fill_buckets.h.
/// Before:  return loss_sum, count, gradient of every parameter, batch statistics (compiler/ir/loss.h)
/// After:   batch_statistics: where there are such, sums each over dp and into its state
///          micro_step:     buckets of gradients into the accumulators (stage 2: reduce-scattered first; stage 3:
///                          parameters gathered by bucket before their use, see gather_buckets.h)
///          optimizer_step: sum over dp, norm, scale, update of each bucket's slice, all-gather of the parameters
///                          (stage 3: none over dp)
/// Where gradients are pending over tp, too, what is over dp here is over all ranks. Buckets are flat f32; their padding
/// counts neither in the norm nor in the decay.
#pragma once

#include "compiler/sharding/rank_program.h"
#include "passes/train/differentiate.h"
#include "passes/train/optimizer_options.h"

namespace autotp {

/// Of f16, as torch's GradScaler has it: doubled after so many good steps, halved by each that overflows.
struct LossScaleOptions {
  double initial = 65536;
  int64_t window = 2000;
};

struct StepOptions {
  int tp = 1, dp = 1, zero = 2, gradAccum = 1;
  int64_t bucketBytes = 25 << 20;
  OptimizerOptions optimizer;
  LossScaleOptions lossScale;
};

RankProgram buildSteps(const Graph &global, LocalProgram local, const Objective &objective, const Updates &updates,
                       const StepOptions &options);

} // namespace autotp

/// \file Builds the sections of a tp rank from its local gradients: micro_step accumulates them; optimizer_step reduces
/// them over dp, clips, updates and gathers. The ZeRO stages differ only in which of these values are slices
/// (fill_buckets.h).
/// Before:  return loss_sum, count, gradient of every parameter, batch statistics (compiler/ir/loss.h)
/// After:   batch_statistics: if there are any, each is summed over dp and added to its state
///          micro_step:     adds buckets of gradients to the accumulators (stage 2: after a reduce_scatter; stage 3:
///          each
///                          bucket of parameters is gathered before its use, see gather_buckets.h)
///          optimizer_step: sum over dp, norm, scale, update of this rank's slice of each bucket, all_gather of
///          parameters
///                          (stage 3: none over dp)
///          evaluate:       the loss of a micro-batch without dropout (evaluation.h)
/// If the gradients of a bucket are Partial over tp as well, they are summed over all ranks instead of over dp. Buckets
/// are flat f32; their padding counts neither in the norm nor in the weight decay.
#pragma once

#include "passes/train/optimizer_options.h"

namespace autotp {

class Graph;
struct LocalProgram;
struct Objective;
struct RankProgram;
struct Updates;

/// The loss scale for f16, as in torch's GradScaler: doubled after `window` good steps, halved by each step that
/// overflows. DeepSpeed's is halved by the last of `hysteresis` overflows between two doublings.
struct LossScaleOptions {
  double initial = 65536;
  int64_t window = 2000, hysteresis = 1;
  double minimum = 1;
  bool refills = false; ///< the overflows that are left, by each good step
  bool isLate = false;  ///< the good step after an overflow, and the first, do not count
};

/// `bucketBytes`: the most bytes of f32 gradients in a bucket, unless one parameter is larger.
struct StepOptions {
  int tp = 1, dp = 1, zero = 2, gradAccum = 1;
  int64_t bucketBytes = 25 << 20;
  OptimizerOptions optimizer;
  LossScaleOptions lossScale;
};

/// `global` is the graph that was localised, and gives the parameters their names. `local` is consumed. `objective`,
/// `updates` and `options` must be the same on all tp ranks, since their sections meet in collectives.
RankProgram buildSteps(const Graph &global, LocalProgram local, const Objective &objective, const Updates &updates,
                       const StepOptions &options);

} // namespace autotp

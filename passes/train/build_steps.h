/// \file From one coordinate's local gradients to its two programs: micro_step accumulates, optimizer_step reduces over
/// dp, clips, updates and gathers. ZeRO is nothing else than which of these values are slices over dp. Before:  return
/// loss_sum, count, gradient of every parameter After:   micro_step:     buckets of gradients into the accumulators
/// (stage 2: reduce-scattered first)
///          optimizer_step: sum over dp, norm, scale, adamw on each bucket's slice, all-gather of the parameters
/// Buckets are filled in the order in which backward makes the gradients ready; each is flat f32, padded so that dp
/// divides it; the padding counts neither in the norm nor in the decay.
#pragma once

#include "compiler/sharding/rank_program.h"

namespace autotp {

struct OptimizerOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1, clipGradNorm = 0;
  bool decaysAll = false; ///< else parameters of rank 2 and more
};

struct StepOptions {
  int tp = 1, dp = 1, zero = 2, gradAccum = 1;
  int64_t bucketBytes = 25 << 20;
  OptimizerOptions optimizer;
};

RankProgram buildSteps(const Graph &global, LocalProgram local, const StepOptions &options);

} // namespace autotp

/// \file Says why a step has a loss or a gradient norm that is no number.
#pragma once

#include "runtime/execute/executor.h"

namespace autotp {

/// What a rank needs to run the micro-steps of a step again: parameters are as they were, since no update runs where the
/// norm is not finite.
struct FailedStep {
  int64_t step, microSteps;
  double loss, gradNorm;
  int rank;
  /// Writes the inputs of a micro-step.
  llvm::function_ref<llvm::Error(int64_t microStep)> feed;
  /// The program of a rank.
  llvm::function_ref<const plan::Program &(int rank)> programOf;
};

/// Called by all ranks, which run the micro-steps again together; rank 0 returns the error, the others what ends them
/// when it has. It names an empty denominator of the loss, else the earliest step of any rank whose result is not
/// finite.
llvm::Error explainNonFinite(Executor &executor, Group &world, const FailedStep &failed);

} // namespace autotp

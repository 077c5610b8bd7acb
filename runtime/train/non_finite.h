/// \file Explains why the loss or the gradient norm of a step is not finite.
#pragma once

#include "runtime/execute/executor.h"

namespace autotp {

/// What a rank needs to run the micro-steps of a step again. The parameters are unchanged, since no update runs if the
/// norm is not finite.
struct FailedStep {
  int64_t step, microSteps;
  double loss, gradNorm;
  int rank;
  bool isScaled; ///< by a loss scale, as it is again
  /// Writes the inputs of a micro-step.
  llvm::function_ref<llvm::Error(int64_t microStep)> feed;
  /// The program of a rank.
  llvm::function_ref<const plan::Program &(int rank)> programOf;
};

/// Must be called by all ranks, which run the micro-steps again together. Rank 0 returns the error, and the others an
/// error once rank 0 has ended. The error names a denominator of the loss that is 0, or else the earliest step of any
/// rank whose result is not finite.
llvm::Error explainNonFinite(Executor &executor, Group &world, const FailedStep &failed);

} // namespace autotp

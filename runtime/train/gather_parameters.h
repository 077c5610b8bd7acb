/// \file Whole parameters and gradients, from the shards that the ranks of this process hold.
#pragma once

#include "runtime/execute/executor.h"

namespace autotp {

enum class Gathered : uint8_t { Weights, Gradients };

/// Writes every parameter whole, under its initializer's names and orientation. Gradients are those in the accumulators
/// after optimizer_step, of the mean loss of the global batch: divided by the step's count.
/// `ranks`: all executors, by rank; none may run meanwhile. Errors: a file that cannot be written.
llvm::Error writeGathered(llvm::StringRef path, llvm::ArrayRef<const Executor *> ranks, int64_t tp, Gathered what);

} // namespace autotp

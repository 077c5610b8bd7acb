/// \file Whole parameters and gradients, from the shards that all ranks hold.
#pragma once

#include "runtime/execute/executor.h"

namespace autotp {

enum class Gathered : uint8_t { Weights, Gradients };

/// Rank 0 writes every parameter whole, under its initializer's names and orientation. Gradients are those in the
/// accumulators after optimizer_step, of the mean loss of the global batch: divided by the step's count.
/// Every rank of `world` (all ranks, in order) calls this with its own executor; `byTp` are the programs of all tp
/// coordinates. Each rank holds one parameter whole at a time, rank 0 all of them.
/// Errors: another rank has failed; on rank 0 also a file that cannot be written.
llvm::Error writeGathered(llvm::StringRef path, Executor &own, Group &world, llvm::ArrayRef<const plan::Program *> byTp,
                          Gathered what);

} // namespace autotp

/// \file Gathers whole parameters or gradients from the shards that all ranks hold.
#pragma once

#include "runtime/execute/executor.h"

namespace autotp {

enum class Gathered : uint8_t { Weights, Gradients };

/// Rank 0 writes every parameter whole, under the names and in the orientation of its initializers. Gradients are those
/// in the accumulators after optimizer_step, divided by the step's count, so they are the gradients of the mean loss of
/// the global batch. Every rank of `world` (all ranks, in order) calls this with its own executor; `byTp` are the
/// programs of all tp ranks. Each rank holds one whole parameter at a time, rank 0 all of them. Errors: another rank
/// has failed; on rank 0 also that a file cannot be written.
llvm::Error writeGathered(llvm::StringRef path, Executor &own, Group &world, llvm::ArrayRef<const plan::Program *> byTp,
                          Gathered what);

} // namespace autotp

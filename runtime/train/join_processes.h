/// \file This process's place among those that a launcher started, one a rank.
#pragma once

#include "runtime/train/train.h"

namespace autotp {

/// Reads the launcher's environment through `variable` (nullptr where unset). Null where all ranks run in this process.
/// For a plan for GPUs all processes meet first, each with its GPUs.
/// Errors: contradictions in the environment; a plan for another number of ranks; two ranks on one GPU, which NCCL
/// refuses; a rank without a GPU; a build without what the launcher and the plan ask for; and those of meet(). What is
/// one error for all ranks is said by one of them, and SaidElsewhere by the others.
llvm::Expected<std::unique_ptr<Communicator>> joinProcesses(const TrainOptions &options,
                                                            llvm::function_ref<const char *(const char *)> variable);

} // namespace autotp

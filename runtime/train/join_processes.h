/// \file This process's place among the processes that a launcher started, one for each rank.
#pragma once

#include "runtime/train/train.h"

namespace autotp {

/// Reads the launcher's environment through `variable` (nullptr for a variable that is not set). Returns null if all
/// ranks run in this process. For a plan for GPUs all processes meet first, each with its GPUs.
/// Errors: contradictions in the environment; a plan for another number of ranks; two ranks on one GPU, which NCCL
/// refuses; a rank without a GPU; a build without what the launcher and the plan need; and the errors of meet(). An
/// error that all ranks find is printed by one of them; the others return SaidElsewhere.
llvm::Expected<std::unique_ptr<Communicator>> joinProcesses(const TrainOptions &options,
                                                            llvm::function_ref<const char *(const char *)> variable);

} // namespace autotp

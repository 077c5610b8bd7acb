/// \file This process's place among the processes that a launcher started, one for each rank.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/comm/launch/launch.h"
#include "runtime/options/option_values.h"
#include "runtime/train/train_options.h"

namespace autotp {

/// Reads the launcher's environment through `variable`, chooses a communicator (communicators.h) and joins its world.
/// Returns null if all ranks run in this process. `given` are the flags that made the options. Errors: contradictions in
/// the environment; no communicator that serves; ranks with other flags, another plan or another build, except over NCCL;
/// and those of the communicator.
llvm::Expected<std::unique_ptr<Communicator>> joinProcesses(const TrainOptions &options, Variable variable,
                                                            llvm::ArrayRef<GivenFlag> given = {});

} // namespace autotp

/// \file Trains a plan. All ranks are threads of this process, or this process is one of them.
#pragma once

#include "runtime/comm/communicator.h"
#include "runtime/train/train_options.h"

#include "llvm/Support/Error.h"

namespace autotp {

/// `process` is this process's end of a world of processes; if it is null, all ranks run here as threads. Errors end
/// all ranks with one message. Files appear whole or not at all.
llvm::Error train(const TrainOptions &options, Communicator *process = nullptr);

} // namespace autotp

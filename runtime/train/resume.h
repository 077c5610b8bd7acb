/// \file Goes on from a checkpoint, on whatever mesh it was written.
#pragma once

#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/execute/executor.h"

namespace autotp {

struct TrainOptions;

/// What --resume names.
struct Resumed {
  std::unique_ptr<CheckpointReader> reader; ///< null: training begins
  std::vector<std::string> notes;           ///< for the user, a line each
};

/// Opens the checkpoint that the options name, if they name one. Errors: there is none, or it is of another model: all
/// parameters and states in which they differ.
llvm::Expected<Resumed> openResumed(const TrainOptions &options, llvm::ArrayRef<const plan::Program *> byTp);

/// Fills a rank's parameters and states. Each rank reads what it holds and no more. Errors: elements are missing.
llvm::Error restore(Executor &executor, const CheckpointReader &reader);

/// Checks the checkpoint's files, each on one of the ranks, and that all ranks see the same one. All ranks of `world`
/// call it. Errors: a file was changed; another rank has failed.
llvm::Error verifyTogether(Executor &executor, Group &world, int rank, const CheckpointReader &reader);

} // namespace autotp

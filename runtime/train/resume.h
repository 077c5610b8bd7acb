/// \file Goes on from a checkpoint, on whatever mesh it was written.
#pragma once

#include "runtime/checkpoint/checkpoint_reader.h"
#include "runtime/execute/executor.h"

namespace autotp {

struct TrainOptions;

/// What --resume names.
struct Resumed {
  std::unique_ptr<CheckpointReader> reader; ///< null: training begins
  DamagedCheckpoints damaged;               ///< newer ones
  bool isChosen = false;                    ///< as the newest of several: if it is damaged, an older one will do
  std::vector<std::string> notes;           ///< for the user, a line each
};

/// Opens the checkpoint that the options name, if they name one, or the newest of several that is not `known` to be damaged.
/// Errors: there is none, or it is of another model: all parameters and states in which they differ.
llvm::Expected<Resumed> openResumed(const TrainOptions &options, llvm::ArrayRef<const plan::Program *> byTp,
                                    const DamagedCheckpoints &known);

/// Fills a rank's parameters and states, of which it reads what it holds and no more, and meanwhile compares the checkpoint's
/// files with their digests, each on one of the ranks. All ranks of `world` call it, and get the names of all files that were
/// changed: with any, what was filled is of no use. Errors: elements are missing; not all see the same checkpoint; another
/// rank has failed.
llvm::Expected<std::vector<std::string>> restore(Executor &executor, Group &world, int rank,
                                                 const CheckpointReader &reader);

} // namespace autotp

/// \file The checkpoints in the folder that --save names.
#pragma once

#include "runtime/checkpoint/checkpoint_reader.h"

namespace autotp {

/// The folder of a step's checkpoint within `folder`: "FOLDER/step-20".
std::string checkpointOf(llvm::StringRef folder, int64_t step);

/// A checkpoint, and newer entries of its folder that are none, each with the reason.
struct FoundCheckpoint {
  std::unique_ptr<CheckpointReader> reader; ///< null: there is none
  std::vector<std::string> passedOver;
  DamagedCheckpoints damaged; ///< those that were passed over and have a checkpoint's name
  bool isChosen = false;      ///< a folder of checkpoints was named, and not this one
};
/// The newest whole one in a folder that is not `known` to be damaged. Other names than those of checkpoints, whole or half
/// written, are not looked at.
FoundCheckpoint newestCheckpoint(llvm::StringRef folder, const DamagedCheckpoints &known = {});

/// The checkpoint that a flag names, or the newest whole one in the folder that it names. Errors: there is none.
llvm::Expected<FoundCheckpoint> namedCheckpoint(llvm::StringRef flag, llvm::StringRef named,
                                                const DamagedCheckpoints &known = {});

/// What is wrong, in a note among others: without its remedy.
std::string inOneLine(llvm::Error error);

/// The steps of what is called a checkpoint in a folder, ascending.
std::vector<int64_t> stepsIn(llvm::StringRef folder);

} // namespace autotp

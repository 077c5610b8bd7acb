/// \file The checkpoints in the folder that --save names.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

/// The folder of a step's checkpoint within `folder`: "FOLDER/step-20".
std::string checkpointOf(llvm::StringRef folder, int64_t step);

/// The newest whole checkpoint in a folder, and newer entries that are none, each with the reason.
struct FoundCheckpoint {
  std::string path; ///< empty: there is none
  std::vector<std::string> passedOver;
};
/// Other names than those of checkpoints, whole or half written, are not looked at.
FoundCheckpoint newestCheckpoint(llvm::StringRef folder);

/// What is wrong, in a note among others: without its remedy.
std::string inOneLine(llvm::Error error);

/// The steps of what is called a checkpoint in a folder, ascending.
std::vector<int64_t> stepsIn(llvm::StringRef folder);

} // namespace autotp

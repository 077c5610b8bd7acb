/// \file Checks what a run will write before its first step, instead of failing after the last one.
#pragma once

#include "runtime/checkpoint/checkpoint.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

struct Manifest;
struct TrainOptions;

/// Errors, all at once: options that make no sense without others.
llvm::Error checkTogether(const TrainOptions &options);

/// `inputs` are the files of samples. Makes the folder of checkpoints if it does not exist yet. Errors: a file that is
/// written is also read, or named twice; it or the folder cannot be written.
llvm::Error checkOutputs(const TrainOptions &options, const Manifest &manifest, std::vector<std::string> inputs);

/// Errors: something lies where a checkpoint will be written, and is not ours to replace. `done`: steps before this run.
/// `damaged`: what a run that goes on from an older checkpoint moves aside.
llvm::Error checkSaves(const TrainOptions &options, int64_t done, const DamagedCheckpoints &damaged);

} // namespace autotp

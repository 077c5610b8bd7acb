/// \file What all ranks of one process share.
#pragma once

#include "runtime/checkpoint/save_lock.h"
#include "runtime/data/source.h"
#include "runtime/plan/check_program.h"
#include "runtime/train/progress.h"
#include "runtime/train/referenced_weights.h"
#include "runtime/train/resume.h"
#include "runtime/train/stop_signals.h"
#include "runtime/train/train_options.h"

#include <mutex>

namespace autotp {

/// All of it is read-only while ranks run, except `failure` and `passedOver`, which `mutex` protects, and `progress`, which
/// is rank 0's.
struct Job {
  /// `damaged` are checkpoints that are known to be.
  Job(const TrainOptions &options, bool hasAllRanks, DamagedCheckpoints damaged)
      : options(options), hasAllRanks(hasAllRanks), damaged(std::move(damaged)) {}

  const TrainOptions &options;
  bool hasAllRanks; ///< as threads of this process
  Manifest manifest;
  LrSchedule lr; ///< of this run
  std::vector<plan::Program> programs;
  std::unique_ptr<Source> source;
  std::unique_ptr<Source> evaluated;             ///< the samples of an evaluation; null: there is none
  std::unique_ptr<CheckpointReader> resumed;     ///< what training goes on from; null: it begins
  DamagedCheckpoints damaged;                    ///< that are newer
  bool isChosen = false;                         ///< `resumed` is the newest of several
  std::unique_ptr<ReferencedWeights> referenced; ///< what training begins with; null: the plan has it, or `resumed`
  std::unique_ptr<Progress> progress;            ///< only if rank 0 runs in this process
  std::unique_ptr<SaveLock> lock;                ///< on the folder of --save, if rank 0 runs in this process
  StopSignals signals;
  std::mutex mutex;
  std::optional<llvm::Error> failure; ///< the error of the rank that failed first
  DamagedCheckpoints passedOver;      ///< what `resumed` turned out to be: the run begins anew, with an older one

  const plan::Program &programOf(int rank) const { return programs[size_t(manifest.ranks[size_t(rank)].program)]; }
  /// The programs of all tp ranks: those of ranks 0 to tp - 1, which have dp rank 0.
  std::vector<const plan::Program *> byTp() const {
    std::vector<const plan::Program *> programs;
    for (int64_t t = 0; t < manifest.tp; ++t)
      programs.push_back(&programOf(int(t)));
    return programs;
  }
  /// Of dropout, of the order of samples, and of initial weights for a plan without.
  int64_t seed() const { return options.seed.value_or(resumed ? resumed->facts().seed : manifest.weightsSeed); }
  int64_t globalBatch() const { return manifest.microBatch * manifest.gradAccum * manifest.dp; }

  void passOver(const std::string &folder, std::string why) {
    std::lock_guard lock(mutex);
    passedOver.emplace(folder, std::move(why));
  }
  void fail(llvm::Error error) {
    std::lock_guard lock(mutex);
    if (!failure)
      failure.emplace(std::move(error));
    else
      llvm::consumeError(std::move(error)); // a consequence of the first error
  }
};

/// The section that computes the loss of a micro-batch outside of training.
constexpr llvm::StringLiteral kEvaluate = "evaluate";

/// The GPU of a rank. If a host has fewer GPUs than ranks, ranks share them.
int gpuOf(int rankOnHost);

/// Whether a program has an output of this name.
bool hasOutput(const plan::Program &program, llvm::StringRef name);
/// Whether the learning rate comes from the model's own training graph.
bool hasOwnRate(const plan::Program &program);

} // namespace autotp

/// \file One rank of a run, on its own thread: it loads, trains, saves, and writes what was asked for at the end.
#pragma once

#include "runtime/execute/executor.h"
#include "runtime/train/save_checkpoint.h"

#include <array>
#include <chrono>

namespace autotp {

class CheckpointReader;
enum class Gathered : uint8_t;
class Source;
struct Job;

class Rank {
public:
  /// `comm` is this rank's end of the world. Both must outlive it.
  Rank(Job &job, Communicator &comm);
  /// Destroys graphs before groups, and groups before the device; the communicator, which the caller owns, outlives
  /// all.
  ~Rank();

  /// Errors: this rank's own, or that another one has failed.
  llvm::Error run();

private:
  /// Where the rows of an input of the graph are written.
  struct Feed {
    size_t input; ///< index into the inputs of the manifest
    const plan::TensorRef &tensor;
    std::vector<std::byte> rows; ///< in host memory
  };

  llvm::Expected<std::unique_ptr<Device>> makeDevice() const;
  llvm::Error load();
  llvm::Error joinWorld();
  llvm::Error fillParameters();
  llvm::Error resume(const CheckpointReader &reader);

  /// The rows of a global batch: those of inputs with a batch begin at `first`, and the others have row `whole`.
  struct BatchRows {
    const Source &source;
    int64_t first, whole;
  };

  llvm::Error feed(const BatchRows &rows, int64_t microStep);
  llvm::Error feedStep(int64_t step, int64_t microStep);
  llvm::Error runMicroBatches(llvm::StringRef section, llvm::function_ref<llvm::Error(int64_t microStep)> feed);
  bool isEvaluatedAfter(int64_t step) const;
  llvm::Error evaluate(int64_t step);
  llvm::Error checkFinite(int64_t step);
  llvm::Error runStep(int64_t step);
  llvm::Error report(int64_t step, double lr, double seconds);
  llvm::Error endStep(int64_t step);
  bool wantsToStop() const;
  Checkpoint factsAfter(int64_t step) const;
  llvm::Error sayNotes(int64_t step);
  llvm::Error gather(const std::string &path, Gathered what);

  /// The number of the first sample of a step, over all ranks.
  int64_t rowsBefore(int64_t step) const;
  /// The first of this rank's rows of a micro-step, among those of the global batch.
  int64_t firstInBatch(int64_t microStep) const;

  Job &job_;
  Communicator &comm_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Group> world_;
  std::unique_ptr<CheckpointSaver> saver_; ///< null if nothing is saved
  std::vector<Feed> feeds_;
  const plan::TensorRef *randomCounter_ = nullptr; ///< null if the program has no dropout

  const plan::State *lossScale_ = nullptr; ///< null if the program has none
  std::array<float, 4> lossScaleBefore_{}; ///< the step that is checked; with --check-finite
  int64_t firstStep_ = 1, firstRow_ = 0;   ///< of this run
  int64_t skipped_ = 0;                    ///< steps that updated nothing, the same on all ranks
  int64_t skippedElsewhere_ = 0;           ///< those of them that the program's own loss scale did not count
  bool isPassedOver_ = false; ///< the checkpoint is damaged and an older one will do, the same on all ranks
  bool isStopping_ = false;   ///< this step is the last one, the same on all ranks
};

} // namespace autotp

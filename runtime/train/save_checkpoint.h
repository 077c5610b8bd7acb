/// \file Saves checkpoints of a run: all ranks write their slices at the same time, and rank 0 gives the folder its name.
#pragma once

#include "runtime/base/output_folder.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/execute/executor.h"
#include "runtime/plan/safetensors.h"
#include "runtime/train/old_checkpoints.h"

#include <chrono>
#include <functional>
#include <future>

namespace autotp {

struct SaveOptions {
  std::string folder;              ///< checkpoints are folders in it
  int64_t keep = 0;                ///< delete all but so many of the newest ones; 0: none
  bool isAsync = false;            ///< files are written while training goes on
  DamagedCheckpoints damaged = {}; ///< what is moved aside if a checkpoint is to have its name
  /// Whether rank 0's process is known to have ended.
  std::function<bool()> hasFirstEnded = [] { return false; };
};

/// A rank's end. All ranks call its functions at the same points of the run, on the thread that owns their rank. If another
/// rank fails, they return errors. What is not complete keeps a name that no one takes for a checkpoint.
class CheckpointSaver {
public:
  /// `byTp` are the programs of all tp ranks. All of the arguments must outlive it; `world` are all ranks, in order.
  CheckpointSaver(Executor &executor, Group &world, int rank, llvm::ArrayRef<const plan::Program *> byTp,
                  SaveOptions options);
  ~CheckpointSaver();

  /// Begins the checkpoint that `facts` describe but for its tensors, after it has completed the one before. It is complete
  /// when this returns, unless files are written meanwhile: then only their contents have been copied.
  llvm::Error save(Checkpoint facts);
  /// Whether a checkpoint has been begun and is not complete: the same on all ranks.
  bool isWriting() const { return written_.valid(); }
  /// Whether this rank has written its files.
  bool hasWritten() const;
  /// Completes the checkpoint, after all ranks have written their files, for which it waits.
  llvm::Error complete();
  /// Returns when the old checkpoints are deleted, which else goes on in the background.
  void finishDeleting() { old_.finish(); }
  /// What was saved since the last call and what was not deleted, a line each: on rank 0.
  std::vector<std::string> takeNotes();

private:
  struct File {
    std::string name;
    std::vector<NamedTensor> tensors;
  };
  /// Digests of a rank's files, by name, or why one could not be written.
  struct Written {
    std::map<std::string, std::string> digests;
    std::string failure;
  };

  llvm::Error agreeOnFolder();
  llvm::Error copyOut();
  void collectScalars();
  Written writeFiles() const;
  llvm::Error shareDigests(const Written &written);
  llvm::Error nameFolder();

  Executor &executor_;
  Group &world_;
  const int rank_;
  const SaveOptions options_;
  const std::vector<const plan::Program *> byTp_;
  std::vector<Checkpoint::Tensor> tensors_; ///< of every checkpoint of this run
  std::vector<SavedSlice> own_;             ///< that this rank writes
  std::vector<std::string> files_;          ///< of all ranks, in order

  Checkpoint facts_;
  std::unique_ptr<OutputFolder> folder_; ///< on rank 0
  std::string path_;                     ///< of the folder while it is being written
  std::unique_ptr<std::byte[]> copy_;    ///< of this rank's slices, unless they are written from the arena
  std::vector<File> toWrite_;
  std::vector<NamedTensor> scalars_;
  std::vector<std::vector<uint8_t>> scalarBytes_;
  std::chrono::steady_clock::time_point begun_;
  std::future<Written> written_;
  OldCheckpoints old_; ///< on rank 0
  std::vector<std::string> notes_;
};

} // namespace autotp

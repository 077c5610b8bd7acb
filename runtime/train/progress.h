/// \file Shows the progress of training: a line for each step, a bar on a terminal, JSONL in a file, TensorBoard's events.
#pragma once

#include "runtime/train/tensorboard.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace autotp {

struct StepReport {
  int64_t step = 0, steps = 0; ///< step counts from 1
  double loss = 0, gradNorm = 0, lr = 0, tokensPerSecond = 0, milliseconds = 0;
  uint64_t memoryBytes = 0;
  double lossScale = 0; ///< 0: there is none
  double tflops = 0;    ///< 10^12 operations of the model a second and rank
  double mfu = 0;       ///< their share of what the device can do at most; 0: that is not known
};

struct EvaluationReport {
  int64_t step = 0; ///< after which it was
  double loss = 0;
  int64_t samples = 0;
  double milliseconds = 0;
};

struct ProgressOptions {
  std::string log;         ///< empty: none
  std::string tensorboard; ///< the folder of event files; empty: none
  bool isAppended = false; ///< a log of that name goes on
  bool isQuiet = false;    ///< nothing is printed
  bool hasBar = true; ///< where standard output is a terminal. A launcher may make it look like one that goes to a file
};

class Progress {
public:
  /// Errors: the log cannot be written.
  static llvm::Expected<std::unique_ptr<Progress>> open(const ProgressOptions &options);
  ~Progress();
  /// A line between steps, unless nothing is printed. Errors: standard output takes no more.
  llvm::Error say(llvm::StringRef line);
  /// Errors: the log or standard output takes no more (the disk is full, the reader has gone).
  llvm::Error report(const StepReport &step);
  llvm::Error report(const EvaluationReport &evaluation);

private:
  /// A number that is written: its key in the log and its tag in TensorBoard, each empty where it is not.
  struct Written {
    llvm::StringLiteral key, tag;
    llvm::json::Value value;
  };
  llvm::Error write(int64_t step, llvm::ArrayRef<Written> numbers);

  std::string logName_;
  std::unique_ptr<llvm::raw_fd_ostream> log_;
  std::unique_ptr<TensorBoard> tensorboard_;
  bool isQuiet_ = false, hasBar_ = false;
};

} // namespace autotp

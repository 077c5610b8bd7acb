/// \file Flags that look into the compiler: what is printed, dumped, timed, left out, and where it ends.
#pragma once

#include "passes/pipeline.h"

#include "llvm/Support/CommandLine.h"

namespace autotp {

/// Registers the flags; one object a program.
class LookFlags {
public:
  explicit LookFlags(llvm::cl::OptionCategory &category);

  /// Errors: a name that no pass has, or of a pass that cannot be left out; each with the names that there are.
  llvm::Error read(CompileOptions &options) const;
  bool stopsEarly() const { return !stopAfter_.empty(); }

  /// Opens the folder of --dump-dir, if there is one, for `options`; `force`: see OutputFolder.
  llvm::Error openDump(CompileOptions &options, bool force);
  /// Puts what was dumped under its name, also after an error of the compile. Says where what stood there lies now.
  llvm::Error commitDump(llvm::raw_ostream &os);
  /// The table of --timings, where it was asked for.
  void printTimes(llvm::ArrayRef<StageTime> times, llvm::raw_ostream &os) const;

private:
  llvm::cl::opt<std::string> printAfter_, stopAfter_, dumpDir_;
  llvm::cl::list<std::string> skip_;
  llvm::cl::opt<bool> timings_, noRecognise_, noVerify_;
  std::unique_ptr<OutputFolder> dump_;
};

} // namespace autotp

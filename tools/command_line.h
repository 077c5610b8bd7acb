/// \file What the commands share: --help of their own flags only, and exit codes (0 done, 1 failed, 2 wrong usage).
#pragma once

#include "runtime/base/error.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

/// Parses the command line; false where it cannot be read (then it has said why). `category` is shown in --help.
inline bool parseCommandLine(int argc, char **argv, llvm::cl::OptionCategory &category, llvm::StringRef overview) {
  llvm::cl::HideUnrelatedOptions(category);
  return llvm::cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs());
}

/// The exit code of a command that ended with this error.
inline int exitCode(llvm::Error error) {
  if (!error) return 0;
  llvm::errs() << describe(std::move(error)) << "\n";
  return 1;
}

} // namespace autotp

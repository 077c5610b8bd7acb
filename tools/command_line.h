/// \file What the commands share: --help of their own flags only, and exit codes (0 done, 1 failed, 2 wrong usage).
#pragma once

#include "runtime/base/error.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <thread>

namespace autotp {

/// Parses the command line; false where it cannot be read (then it has said why: LLVM's first line, in our form).
/// `category` is shown in --help.
inline bool parseCommandLine(int argc, char **argv, llvm::cl::OptionCategory &category, llvm::StringRef overview) {
  llvm::cl::HideUnrelatedOptions(category);
  std::string said;
  llvm::raw_string_ostream os(said);
  if (llvm::cl::ParseCommandLineOptions(argc, argv, overview, &os)) return true;
  if (os.str().empty()) return false; // LLVM wrote of a value itself, to stderr
  llvm::StringRef command = llvm::sys::path::filename(argv[0]), line = llvm::StringRef(os.str()).split('\n').first;
  line.consume_front(command.str() + ": ");
  llvm::errs() << describe(problem("", line.split("  Try: ").first, "see " + command.str() + " --help")) << "\n";
  return false;
}

/// The exit code of a command that ended with this error.
inline int exitCode(llvm::Error error) {
  if (!error) return 0;
  if (error.isA<SaidElsewhere>()) {
    llvm::consumeError(std::move(error));
    std::this_thread::sleep_for(std::chrono::milliseconds(500)); // launchers end all ranks once one has: let it speak
    return 1;
  }
  llvm::errs() << describe(std::move(error)) << "\n";
  return 1;
}

} // namespace autotp

/// \file What the commands share: --help of their own flags only, standard streams, and exit codes (0 done, 1 failed, 2
/// wrong usage).
#pragma once

#include "runtime/base/error.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

/// Parses the command line; false where it cannot be read (then it has said why: LLVM's first line, in our form).
/// `categories` are shown in --help, by their names; `parts` after the version by --version: lines of what the program is
/// made of. From here on no stream aborts the process, and none that was closed by whoever started it is taken for a file
/// that is opened later.
bool parseCommandLine(int argc, char **argv, llvm::ArrayRef<const llvm::cl::OptionCategory *> categories,
                      llvm::StringRef overview, llvm::StringRef parts = "");

/// The exit code of a command that ended with this error; an output that standard output did not take is one. `said` gets
/// what is printed of it.
int exitCode(
    llvm::Error error, llvm::function_ref<void(llvm::StringRef)> said = [](llvm::StringRef) {});

} // namespace autotp

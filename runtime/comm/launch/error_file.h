/// \file Where a launcher looks for what its ranks say when they fail.
#pragma once

#include "runtime/comm/launch/launch.h"

namespace autotp {

/// The file that torchrun names in TORCHELASTIC_ERROR_FILE; empty: nobody looks for one.
std::string errorFileOf(Variable variable);
/// Writes an error, with the time, in the form that torchrun prints after a run. Nothing is written if `file` is empty, and
/// a file that cannot be written is passed over, since the error is printed anyway.
void writeErrorFile(const std::string &file, llvm::StringRef error);

} // namespace autotp

/// \file One text from rank 0 to all ranks of MPI's world: how ranks find each other that then talk in another way.
#pragma once

#include "llvm/Support/Error.h"

#include <string>

namespace autotp {

/// Starts MPI and ends it again, once in a process's life. Gives rank 0's text, of at most 1024 bytes, to all; the
/// others' is not looked at. Errors: a build without MPI, MPI that does not start, a world that is not of `ranks`
/// ranks.
llvm::Expected<std::string> broadcastOverMpi(const std::string &text, int64_t ranks);

} // namespace autotp

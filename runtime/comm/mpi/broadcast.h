/// \file Texts that go from rank 0 to all ranks of MPI's world, so that ranks find each other who then communicate in another
/// way, or from each to all.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace autotp {

/// Starts MPI and ends it again; call it once in the life of a process. Returns rank 0's text, of at most 1024 bytes,
/// on all ranks; the other ranks' is not used. Errors: the build has no MPI; MPI does not start; the world does not
/// have `ranks` ranks.
llvm::Expected<std::string> broadcastOverMpi(const std::string &text, int64_t ranks);

/// The texts of all ranks, by rank. A communicator over MPI must be there. Errors: MPI's; the build has no MPI.
llvm::Expected<std::vector<std::string>> gatherOverMpi(const std::string &text);

} // namespace autotp

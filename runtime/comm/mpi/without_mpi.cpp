#include "runtime/base/error.h"
#include "runtime/comm/communicator.h"
#include "runtime/comm/mpi/broadcast.h"

namespace autotp {

bool hasMpi() { return false; }

llvm::Expected<std::unique_ptr<Communicator>> makeMpiCommunicator(int64_t) {
  return problem("--comm mpi", "this build has no MPI",
                 "install an MPI (Debian: libopenmpi-dev), configure and build again; or take --comm local");
}

llvm::Expected<std::string> broadcastOverMpi(const std::string &, int64_t) {
  return problem("meeting of ranks", "this build has no MPI, which would tell where rank 0 runs",
                 "set MASTER_ADDR and MASTER_PORT to rank 0's host and to a free port there, on all ranks");
}

llvm::Expected<std::vector<std::string>> gatherOverMpi(const std::string &) {
  return problem("--comm mpi", "this build has no MPI", "take --comm local");
}

} // namespace autotp

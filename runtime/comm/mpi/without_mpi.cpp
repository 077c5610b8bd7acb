#include "runtime/base/error.h"
#include "runtime/comm/communicator.h"

namespace autotp {

llvm::Expected<std::unique_ptr<Communicator>> makeMpiCommunicator(int64_t) {
  return problem("--comm mpi", "this build has no MPI",
                 "install an MPI (Debian: libopenmpi-dev), configure and build again; or take --comm local");
}

} // namespace autotp

/// \file Stands in for NCCL in a build without it.
#include "runtime/base/error.h"
#include "runtime/comm/nccl/nccl_communicator.h"

namespace autotp {
namespace {

llvm::Error isMissing() {
  return problem("--comm nccl", "this build has no NCCL",
                 "configure where nvcc, nccl.h and libnccl are found, or take --comm local");
}

} // namespace

bool hasNccl() { return false; }

llvm::Expected<std::vector<std::unique_ptr<Communicator>>> makeNcclCommunicators(int) { return isMissing(); }

llvm::Expected<std::unique_ptr<Communicator>> makeNcclCommunicator(int, int, int, int, std::unique_ptr<IdExchange>) {
  return isMissing();
}

} // namespace autotp

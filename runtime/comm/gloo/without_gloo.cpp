#include "runtime/comm/gloo/gloo_communicator.h"

#include "runtime/base/error.h"

namespace autotp {

bool hasGloo() { return false; }

llvm::Expected<std::unique_ptr<Communicator>> joinOverGloo(const Launch &, Variable, const RankFacts &,
                                                           std::chrono::milliseconds) {
  return problem("--comm gloo", "this build has no gloo",
                 "install it (Debian: libgloo-dev), configure and build again; or take --comm mpi");
}

} // namespace autotp

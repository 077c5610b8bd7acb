/// \file Where the ranks of several processes meet, as their launcher says it.
#pragma once

#include "runtime/comm/launch/launch.h"

#include <string>

namespace autotp {

/// A store of keys and values, which torchrun or rank 0 serves.
struct MeetingPoint {
  std::string host;               ///< of rank 0; empty: only MPI can tell it
  uint16_t port = 0;              ///< 0: any, which rank 0 then tells
  bool isLaunchers = false;       ///< torchrun serves it: rank 0 does not
  std::string prefix = "autotp/"; ///< of keys: another for each run that may meet in the same store
};

/// Of what says it, the first stands:
///   MASTER_ADDR and MASTER_PORT, which torchrun sets, and a user may under the other launchers;
///   under srun the first node of the step, and a port that follows from the job's and the step's number;
///   under mpirun and mpiexec nothing: MPI has to tell.
/// Errors: values that are none; torchrun without an address.
llvm::Expected<MeetingPoint> findMeetingPoint(const Launch &launch,
                                              llvm::function_ref<const char *(const char *)> variable);

} // namespace autotp

/// \file Where the ranks of several processes meet, according to their launcher.
#pragma once

#include "runtime/comm/launch/launch.h"

#include <string>

namespace autotp {

/// A store of keys and values, which torchrun or rank 0 serves.
struct MeetingPoint {
  std::string host;               ///< the host of rank 0; empty: only MPI knows it
  uint16_t port = 0;              ///< 0: any free port, which rank 0 then announces
  bool isLaunchers = false;       ///< torchrun serves it, so rank 0 does not
  std::string prefix = "autotp/"; ///< the prefix of keys; different for each run that may use the same store
};

/// The first of these that gives a meeting point counts:
///   MASTER_ADDR and MASTER_PORT, which torchrun sets, and a user may set under the other launchers;
///   under srun, the first node of the step, and a port computed from the numbers of the job and the step;
///   under mpirun and mpiexec nothing, so MPI must be asked.
/// Errors: values that are no host or port; torchrun without an address.
llvm::Expected<MeetingPoint> findMeetingPoint(const Launch &launch, Variable variable);

// For the table of launchers.
llvm::Expected<MeetingPoint> torchrunsMeetingPoint(MeetingPoint point, Variable variable);
llvm::Expected<MeetingPoint> slurmsMeetingPoint(MeetingPoint point, Variable variable);
/// Leaves open where rank 0 is: MPI knows it.
llvm::Expected<MeetingPoint> mpisMeetingPoint(MeetingPoint point, Variable variable);

} // namespace autotp

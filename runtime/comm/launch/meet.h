/// \file The ranks of several processes meet: each brings a line about itself and gets the lines of all.
#pragma once

#include "runtime/comm/launch/id_exchange.h"
#include "runtime/comm/launch/meeting_point.h"

#include <vector>

namespace autotp {

struct Meeting {
  /// Reaches all ranks. If this is rank 0 and serves the store, its destructor waits until the others have left.
  std::unique_ptr<IdExchange> exchange;
  std::vector<std::string> lines; ///< by rank
};

struct MeetingLimits {
  std::chrono::milliseconds connect{60000}; ///< until someone listens at the meeting point
  std::chrono::milliseconds all{300000};    ///< until all ranks are there
  std::chrono::milliseconds linger{30000};  ///< until all have left, at the end, if this is rank 0 and serves the store
};

/// `line` must hold no newline; all lines together have at most 1 MiB. If the point has no host, MPI is started to
/// learn rank 0's host, and ended again. Errors: no one serves the store at its host and port; the port is taken; ranks
/// do not come, by number; the point has no host, and the build no MPI.
llvm::Expected<Meeting> meet(const Launch &launch, MeetingPoint point, const std::string &line,
                             const MeetingLimits &limits = {});

/// Names this host, without spaces. Two processes get the same name exactly if they run on one host and in one
/// container.
std::string hostIdentity();

} // namespace autotp

/// \file The ranks of several processes meet: each brings a line about itself and gets everybody's.
#pragma once

#include "runtime/comm/launch/id_exchange.h"
#include "runtime/comm/launch/meeting_point.h"

#include <vector>

namespace autotp {

struct Meeting {
  /// Reaches all ranks. Where this is rank 0 and serves the store, its end waits for the others to leave first, for
  /// 30 s at most.
  std::unique_ptr<IdExchange> exchange;
  std::vector<std::string> lines; ///< by rank
};

struct MeetingLimits {
  std::chrono::milliseconds connect{60000}; ///< until somebody listens at the meeting point
  std::chrono::milliseconds all{300000};    ///< until all ranks are there
};

/// `line` holds no newline; all of them together have at most 1 MiB. Where the point has no host, MPI is started, tells
/// rank 0's, and is ended again. Errors: a store that nobody serves, with its host and port; a port that is taken;
/// ranks that do not come, by number; a point without a host in a build without MPI.
llvm::Expected<Meeting> meet(const Launch &launch, MeetingPoint point, const std::string &line,
                             const MeetingLimits &limits = {});

/// Names this host: the same for two processes exactly where they run on one host and in one container. No spaces.
std::string hostIdentity();

} // namespace autotp

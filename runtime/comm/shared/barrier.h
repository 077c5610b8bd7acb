/// \file A barrier in memory that several threads, or several processes, reach.
#pragma once

#include <atomic>
#include <cstdint>

namespace autotp {

/// How the ranks of a world wait for each other, the same at all of its barriers.
struct Waiting {
  const std::atomic<uint32_t> &failed; ///< not 0: a rank has failed, and no wait is worth it any more
  bool maySpin;                        ///< each rank has a core of its own
  bool isAmongThreads;                 ///< of one process, which the kernel finds faster than those of several
};

/// Spins for a moment and then sleeps, since there may be more ranks than cores. Memory that holds zeros is a barrier
/// at which nobody waits.
class Barrier {
public:
  /// Returns when `members` ranks have come; false if one has failed.
  bool wait(int members, const Waiting &waiting);
  /// Wakes all who wait, which then see that a rank has failed. The barrier is of no more use.
  void release(const Waiting &waiting);

private:
  void passOn(const Waiting &waiting);

  std::atomic<uint32_t> generation_{0}; ///< the first member: the kernel sleeps on it
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<int32_t> arrived_{0};
};

} // namespace autotp

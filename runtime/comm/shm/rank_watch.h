/// \file A thread that sees when another rank of this host has ended, is stopped, or keeps the others waiting.
#pragma once

#include "runtime/comm/shared/world.h"
#include "runtime/comm/shm/rank_board.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace autotp {

struct WatchLimits {
  std::chrono::milliseconds beat{100};    ///< the period of the watch
  std::chrono::milliseconds silent{3000}; ///< a rank whose watch does not beat for so long is stopped
  std::chrono::milliseconds grace{1000};  ///< until this process ends itself after a failure
  std::chrono::milliseconds awaited{0}; ///< how long ranks wait for one that runs; 0: for ever, also for a stopped one
};

/// Each rank watches the next one that has not left, so of ranks that fail, the one before the first is always watched by
/// one that has not. Time is counted in beats of the own watch: if all processes are stopped and go on, as a suspended
/// machine does it, nobody has been silent.
class RankWatch {
public:
  /// Starts the thread. `endProcess` is called, on that thread, if this rank does not come to its end by itself after a
  /// failure; it gets what there is to say, or nothing where another rank says it.
  RankWatch(World &world, RankBoard &board, WatchLimits limits, std::function<void(const std::string &)> endProcess);
  /// This rank leaves: nobody misses it from now on.
  ~RankWatch();

  /// This rank is coming to its end, since it has failed, and says why: it takes the time that it needs.
  void letEnd();
  /// What has failed, where this rank is to say it.
  std::string failure() const;
  /// Whether the process of a rank has ended.
  bool hasEnded(int rank) const;

private:
  /// A number of another process that should change, and for how many beats it has not.
  struct Stillness {
    int rank = -1;
    uint32_t last = 0;
    int64_t beats = 0;
    /// Returns the beats for which this value of this rank has not changed.
    int64_t since(int of, uint32_t value);
  };

  void run();
  void look();
  int nextRank() const;
  void lookAt(int rank);
  void lookAtOwnWait();
  void fail(std::string what);

  World &world_;
  RankBoard &board_;
  const WatchLimits limits_;
  const std::function<void(const std::string &)> endProcess_;
  Stillness beatsOfNext_, ownWait_;
  mutable std::mutex mutex_; // protects what follows
  std::condition_variable wake_;
  bool stops_ = false, letsEnd_ = false;
  std::string failure_;
  std::thread thread_; // declared last, since it uses the rest
};

} // namespace autotp

/// \file One rank's end of an NCCL communicator, and the thread that ends all communicators when a rank fails.
#pragma once

#include "runtime/comm/launch/id_exchange.h"

#include <nccl.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace autotp::nccl {

/// A communicator that the rank's thread and the watch share. Only one of them is inside at a time, and the one that
/// ends it does so for good. A collective pays one atomic exchange for that, and no lock.
class Comm {
public:
  explicit Comm(ncclComm_t handle) : handle_(handle) {}

  /// Returns false if it has been ended. Waits no longer than the watch needs to look at it.
  bool enter();
  bool tryEnter();
  void leave();
  ncclComm_t handle() const { return handle_; } ///< may be used only between enter() and leave()

  /// Ends the communicator, and every operation of it for which a GPU waits. A thread that is inside gets a second to
  /// leave, since a call that waits for a full queue returns in no other way.
  void abort();
  /// Ends the rank's use of it, when the group is no longer needed. Returns when all enqueued operations are done.
  void close(bool hasFailed);

private:
  enum State : int { Free, Inside, Ended };
  bool moved(State from, State to) { // one exchange, not a loop: the state is `from` or it is not
    int expected = from;
    return state_.compare_exchange_strong(expected, to, std::memory_order_acq_rel);
  }
  ncclComm_t handle_;
  std::atomic<int> state_{Free};
};

/// There is one in a process. Every 100 ms it asks all communicators of the process for errors, and the exchange
/// whether a rank of another process has failed. If so, all communicators are ended, each by a thread of its own, since
/// NCCL then waits for graphs that still hold operations of the communicator. Destroy it after those graphs. All
/// functions may be called by any thread.
class FailureWatch {
public:
  /// Starts the thread. The exchange must be safe for use by it and by ranks at once.
  explicit FailureWatch(std::shared_ptr<IdExchange> exchange);
  ~FailureWatch();

  bool hasFailed() const { return failed_.load(std::memory_order_acquire); }
  /// One line that says what failed first; empty if nothing did.
  std::string failure() const;
  /// Notes a failure of this process, which ends all communicators. Only the first failure is kept.
  void fail(std::string what);
  /// Whether another process failed first; that process prints its error.
  bool isOfAnotherProcess() const;

  /// From now on the watch asks and, after a failure, ends this communicator; it ends one that is added late at once.
  void add(std::shared_ptr<Comm> comm);
  void remove(const std::shared_ptr<Comm> &comm);

private:
  void run();
  void askComms();    // with the mutex held
  void askExchange(); // without the mutex, since it may take long
  void abortAll();    // with the mutex held
  void failLocked(std::string what, bool isOthers = false);

  std::shared_ptr<IdExchange> exchange_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_; // protects all that follows
  std::condition_variable wake_;
  bool stops_ = false, isTold_ = false, isOthers_ = false;
  std::string failure_;
  std::vector<std::shared_ptr<Comm>> comms_;
  std::vector<std::thread> aborts_;
  std::thread thread_; // declared last, since it uses the rest
};

} // namespace autotp::nccl

/// \file One rank's end of an NCCL communicator, and the thread that ends all of them when one rank fails.
#pragma once

#include "runtime/comm/launch/id_exchange.h"

#include <nccl.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace autotp::nccl {

/// A communicator that its rank's thread and the watch share. One of them is inside at a time; the one that ends it
/// takes it from the other for good. A collective costs one exchange of a word for that, and no lock.
class Comm {
public:
  explicit Comm(ncclComm_t handle) : handle_(handle) {}

  /// False where it has been ended. Waits for no longer than the watch takes to look at it.
  bool enter();
  bool tryEnter();
  void leave();
  ncclComm_t handle() const { return handle_; } ///< of use to who is inside

  /// Ends it, and every operation of it that a GPU waits in. Who is inside is given a second to leave: a call into a
  /// queue that is full does not return otherwise.
  void abort();
  /// The rank's own end of it, when the group is no longer needed; returns when what was enqueued is done.
  void close(bool hasFailed);

private:
  enum State : int { Free, Inside, Ended };
  bool moved(State from, State to) { // not a loop: `from` is the state or it is not
    int expected = from;
    return state_.compare_exchange_strong(expected, to, std::memory_order_acq_rel);
  }
  ncclComm_t handle_;
  std::atomic<int> state_{Free};
};

/// One a process. Every 100 ms it asks all communicators of the process for errors, and the exchange whether a rank of
/// another process has failed; then all communicators are ended, each by a thread of its own: NCCL waits there for
/// graphs that still hold operations of the communicator.
/// To be destroyed after those graphs. All functions may be called by any thread.
class FailureWatch {
public:
  explicit FailureWatch(std::shared_ptr<IdExchange> exchange);
  ~FailureWatch();

  bool hasFailed() const { return failed_.load(std::memory_order_acquire); }
  /// One line: what failed first; empty where nothing did.
  std::string failure() const;
  void fail(std::string what);
  /// Whether what failed first did so in another process, which says it.
  bool isOfAnotherProcess() const;

  void add(std::shared_ptr<Comm> comm);
  void remove(const std::shared_ptr<Comm> &comm);

private:
  void run();
  void askComms();    // under the mutex
  void askExchange(); // not under it: it may take its time
  void abortAll();    // under the mutex
  void failLocked(std::string what, bool isOthers = false);

  std::shared_ptr<IdExchange> exchange_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_; // of what follows
  std::condition_variable wake_;
  bool stops_ = false, isTold_ = false, isOthers_ = false;
  std::string failure_;
  std::vector<std::shared_ptr<Comm>> comms_;
  std::vector<std::thread> aborts_;
  std::thread thread_; // last: it uses the rest
};

} // namespace autotp::nccl

#include "runtime/comm/nccl/failure_watch.h"

#include "runtime/base/error.h"

#include <algorithm>

namespace autotp::nccl {

using namespace std::chrono_literals;
namespace {

constexpr auto kPollPeriod = 100ms;

} // namespace

bool Comm::tryEnter() { return moved(Free, Inside); }

bool Comm::enter() {
  while (!tryEnter()) {
    if (state_.load(std::memory_order_acquire) == Ended) return false;
    std::this_thread::yield();
  }
  return true;
}

void Comm::leave() { moved(Inside, Free); } // does nothing if it was ended meanwhile

void Comm::abort() {
  const auto end = std::chrono::steady_clock::now() + 1s;
  bool mine = moved(Free, Ended);
  while (!mine && state_.load() != Ended && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
    mine = moved(Free, Ended);
  }
  if (mine || state_.exchange(Ended) != Ended) (void)ncclCommAbort(handle_);
}

void Comm::close(bool hasFailed) {
  if (hasFailed) return abort();
  if (!enter()) return;
  if (state_.exchange(Ended) == Ended) return;
  ncclResult_t result = ncclCommFinalize(handle_);
  const auto end = std::chrono::steady_clock::now() + 5s; // a member that is gone does not answer
  while ((result == ncclSuccess || result == ncclInProgress) && std::chrono::steady_clock::now() < end) {
    if (ncclCommGetAsyncError(handle_, &result) != ncclSuccess || result != ncclInProgress) break;
    std::this_thread::sleep_for(1ms);
  }
  (void)(result == ncclSuccess ? ncclCommDestroy(handle_) : ncclCommAbort(handle_));
}

FailureWatch::FailureWatch(std::shared_ptr<IdExchange> exchange) : exchange_(std::move(exchange)) {
  thread_ = std::thread([this] { run(); });
}

FailureWatch::~FailureWatch() {
  {
    std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_all();
  thread_.join();
  for (std::thread &thread : aborts_)
    thread.join();
}

std::string FailureWatch::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void FailureWatch::fail(std::string what) {
  std::lock_guard lock(mutex_);
  failLocked(std::move(what));
}

bool FailureWatch::isOfAnotherProcess() const {
  std::lock_guard lock(mutex_);
  return isOthers_;
}

void FailureWatch::failLocked(std::string what, bool isOthers) {
  if (failed_) return;
  isOthers_ = isOthers;
  failure_ = std::move(what);
  failed_.store(true, std::memory_order_release);
  wake_.notify_all();
}

void FailureWatch::add(std::shared_ptr<Comm> comm) {
  std::lock_guard lock(mutex_);
  comms_.push_back(std::move(comm));
  if (isTold_) abortAll(); // it was added after the failure
}

void FailureWatch::remove(const std::shared_ptr<Comm> &comm) {
  std::lock_guard lock(mutex_);
  comms_.erase(std::remove(comms_.begin(), comms_.end(), comm), comms_.end());
}

void FailureWatch::run() {
  std::unique_lock lock(mutex_);
  while (!isTold_) {
    wake_.wait_for(lock, kPollPeriod, [&] { return stops_ || failed_; });
    if (failed_) {
      isTold_ = true;
      abortAll();
      std::string failure = failure_;
      lock.unlock();
      if (llvm::Error error = exchange_->set(kFailedKey, failure))
        llvm::consumeError(std::move(error)); // the store is gone, which all who need it notice
      return;
    }
    if (stops_) return;
    askComms();
    lock.unlock();
    askExchange();
    lock.lock();
  }
}

void FailureWatch::askComms() {
  for (const std::shared_ptr<Comm> &comm : comms_) {
    if (!comm->tryEnter()) continue; // its rank is inside, and sees an error by itself
    ncclResult_t error = ncclSuccess;
    ncclResult_t asked = ncclCommGetAsyncError(comm->handle(), &error);
    comm->leave();
    if (asked == ncclSuccess && (error == ncclSuccess || error == ncclInProgress)) continue;
    failLocked(std::string("NCCL reports: ") + ncclGetErrorString(asked == ncclSuccess ? error : asked));
    return;
  }
}

void FailureWatch::askExchange() {
  auto failure = exchange_->look(kFailedKey);
  if (!failure) return fail("the ranks' store does not answer any more: " + llvm::toString(failure.takeError()));
  if (!*failure) return;
  std::lock_guard lock(mutex_);
  failLocked(**failure, /*isOthers=*/**failure != kNoWord);
}

void FailureWatch::abortAll() {
  for (std::shared_ptr<Comm> &comm : comms_)
    aborts_.emplace_back([comm] { comm->abort(); });
  comms_.clear();
}

} // namespace autotp::nccl

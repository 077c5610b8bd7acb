#include "runtime/comm/shm/rank_watch.h"

#include "runtime/base/error.h"

#include "llvm/Support/MemoryBuffer.h"

#include <csignal>

namespace autotp {
namespace {

/// The state of a process as /proc tells it: R, S, D, T (stopped), Z (ended, but nobody has asked how); 0 if there is none.
char stateOf(int64_t process) {
  auto text = llvm::MemoryBuffer::getFileAsStream("/proc/" + std::to_string(process) + "/stat");
  if (!text) return '\0';
  // The name of the program is in brackets, and may hold any character.
  const llvm::StringRef behindName = (*text)->getBuffer().rsplit(')').second.ltrim();
  return behindName.empty() ? '\0' : behindName.front();
}

bool isEnded(char state) { return state == '\0' || state == 'Z' || state == 'X'; }
bool isStopped(char state) { return state == 'T' || state == 't'; }

} // namespace

int64_t RankWatch::Stillness::since(int of, uint32_t value) {
  beats = of == rank && value == last ? beats + 1 : 0;
  rank = of;
  last = value;
  return beats;
}

RankWatch::RankWatch(World &world, RankBoard &board, WatchLimits limits,
                     std::function<void(const std::string &)> endProcess)
    : world_(world), board_(board), limits_(limits), endProcess_(std::move(endProcess)) {
  thread_ = std::thread([this] { run(); });
}

RankWatch::~RankWatch() {
  board_.ownEntry().hasLeft = 1;
  {
    std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void RankWatch::letEnd() {
  std::lock_guard lock(mutex_);
  letsEnd_ = true;
}

std::string RankWatch::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

bool RankWatch::hasEnded(int rank) const { return isEnded(stateOf(board_.entry(rank).process)); }

void RankWatch::run() {
  std::unique_lock lock(mutex_);
  auto sleep = [&](std::chrono::milliseconds time) { return wake_.wait_for(lock, time, [&] { return stops_; }); };
  while (!sleep(limits_.beat)) {
    ++board_.ownEntry().beats;
    if (world_.hasFailed()) {
      if (!sleep(limits_.grace) && !letsEnd_) endProcess_(failure_);
      return;
    }
    lock.unlock();
    look();
    lock.lock();
  }
}

void RankWatch::look() {
  if (const int next = nextRank(); next != board_.own()) lookAt(next);
  if (limits_.awaited.count() > 0) lookAtOwnWait();
}

/// The next rank that is there and has not left; this one if there is none.
int RankWatch::nextRank() const {
  for (int i = 1; i < board_.size(); ++i) {
    const int rank = (board_.own() + i) % board_.size();
    const RankEntry &entry = board_.entry(rank);
    if (entry.process != 0 && entry.hasLeft == 0) return rank;
  }
  return board_.own();
}

void RankWatch::lookAt(int rank) {
  RankEntry &entry = board_.entry(rank);
  const char state = stateOf(entry.process);
  if (isEnded(state)) {
    if (entry.hasLeft == 0) fail(board_.describe(rank) + ", has ended without a word: it was killed, or has crashed");
    return;
  }
  const bool isSilent = beatsOfNext_.since(rank, entry.beats) * limits_.beat >= limits_.silent;
  if (!isSilent || limits_.awaited.count() == 0 || world_.hasFailed()) return;
  const pid_t process = pid_t(entry.process);
  fail(board_.describe(rank) + (isStopped(state) ? ", is stopped" : ", does not answer any more"));
  (void)::kill(process, SIGKILL); // it would stay, and launchers wait for it
}

/// Who keeps this rank waiting for too long: ranks that do not wait themselves.
void RankWatch::lookAtOwnWait() {
  const uint32_t waits = board_.ownEntry().waits;
  if (ownWait_.since(board_.own(), waits) * limits_.beat < limits_.awaited || waits % 2 == 0) return;
  std::string awaited;
  for (int r = 0; r < board_.size(); ++r)
    if (board_.entry(r).waits % 2 == 0 && board_.entry(r).hasLeft == 0)
      awaited += (awaited.empty() ? "" : "; ") + board_.describe(r);
  const std::string time = llvm::formatv("{0} s (--rank-timeout)", limits_.awaited.count() / 1000).str();
  fail(awaited.empty() ? "all ranks have waited for each other for " + time
                       : awaited + ", has kept the others waiting for " + time);
}

void RankWatch::fail(std::string what) {
  if (!board_.claim()) return;
  {
    std::lock_guard lock(mutex_);
    failure_ = std::move(what);
  }
  world_.fail();
}

} // namespace autotp

#include "runtime/train/stop_signals.h"

#include <atomic>

namespace autotp {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGINT};

std::atomic<int> lastReceived = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes it");

/// The second signal meets the default action, so that it ends what hangs.
void note(int signal) {
  lastReceived = signal;
  for (int each : kSignals)
    std::signal(each, SIG_DFL);
}

} // namespace

StopSignals::StopSignals() {
  lastReceived = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART; // reads and writes that are under way go on
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr); // as nohup and shells have it
  }
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < std::size(kSignals); ++i)
    sigaction(kSignals[i], &before_[i], nullptr);
}

int StopSignals::received() const { return lastReceived; }

} // namespace autotp

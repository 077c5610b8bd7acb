/// \file SIGTERM and SIGINT ask a run to end after the step that it is in.
#pragma once

#include <csignal>

namespace autotp {

/// While it lives, the first of these signals is noted, and a second one ends the process at once, as it does without this.
/// One at a time in a process.
class StopSignals {
public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals &) = delete;
  StopSignals &operator=(const StopSignals &) = delete;

  /// The signal that came, or 0. Safe to ask on any thread.
  int received() const;

private:
  struct sigaction before_[2] = {};
};

} // namespace autotp

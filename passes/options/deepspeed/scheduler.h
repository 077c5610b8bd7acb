/// \file DeepSpeed's schedulers (runtime/lr_schedules.py): the "scheduler" of its configuration as a schedule.
#pragma once

#include "runtime/plan/lr_schedule.h"

namespace autotp {

class DeepSpeedKeys;

struct SchedulerContext {
  double lr;     ///< the optimizer's
  bool hasBetas; ///< of the optimizer; OneCycle would cycle the first of them
};

/// Asks for the keys of the scheduler that is named; the others are not honoured. total_num_steps may be left out: the
/// schedule is then as long as the run. What is wrong is noted in `keys`, and so is what a plan cannot do: another type,
/// rates for groups of parameters, and betas that change.
LrSchedule readScheduler(DeepSpeedKeys &keys, const SchedulerContext &context);

} // namespace autotp

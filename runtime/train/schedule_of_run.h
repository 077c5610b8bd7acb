/// \file The learning rates of a run: the plan's schedule, as the run's flags change it.
#pragma once

#include "runtime/plan/lr_schedule.h"

namespace autotp {

struct Manifest;
struct TrainOptions;

/// `hasOwnRate`: the plan's learning rate is that of the model's own training graph, which no flag may change.
/// Errors, all at once: flags that contradict each other, the plan, or the number of steps.
llvm::Expected<LrSchedule> scheduleOfRun(const Manifest &manifest, const TrainOptions &options, bool hasOwnRate);

} // namespace autotp

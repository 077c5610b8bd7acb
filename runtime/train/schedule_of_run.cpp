#include "runtime/train/schedule_of_run.h"

#include "runtime/base/error.h"
#include "runtime/plan/manifest.h"
#include "runtime/train/train_options.h"

namespace autotp {
namespace {

llvm::Error refuseFlags(const TrainOptions &o) {
  llvm::Error errors = llvm::Error::success();
  for (auto [flag, isGiven] : {std::pair("--lr", o.lr.has_value()),
                               {"--lr-schedule", o.lrKind.has_value()},
                               {"--warmup-steps", o.warmupSteps.has_value()},
                               {"--min-lr", o.minLr.has_value()},
                               {"--decay-steps", o.decaySteps.has_value()}})
    if (isGiven)
      errors = llvm::joinErrors(
          std::move(errors),
          problem(flag, "the plan's learning rate is that of the model's own training graph", "leave it out"));
  return errors;
}

} // namespace

llvm::Expected<LrSchedule> scheduleOfRun(const Manifest &manifest, const TrainOptions &o, bool hasOwnRate) {
  if (hasOwnRate) {
    if (llvm::Error error = refuseFlags(o)) return error;
    return LrSchedule();
  }
  LrSchedule lr = manifest.lr;
  if (o.lrKind) lr = {.kind = *o.lrKind, .peak = lr.peak};
  lr.peak = o.lr.value_or(lr.peak);
  lr.minimum = o.minLr.value_or(lr.minimum);
  lr.warmupSteps = o.warmupSteps.value_or(lr.warmupSteps);
  lr.decaySteps = o.decaySteps.value_or(lr.decaySteps);
  lr.runSteps = o.steps;
  if (llvm::Error error = checkSchedule(lr)) return error;
  return lr;
}

} // namespace autotp

#include "passes/options/deepspeed/scheduler.h"

#include "passes/options/deepspeed/given_keys.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

namespace autotp {
namespace {

using llvm::json::Value;

constexpr int64_t kMost = int64_t(kMostSteps);

/// Reads the parameters of one scheduler; what the configuration does not say has DeepSpeed's default.
class SchedulerReader {
public:
  SchedulerReader(DeepSpeedKeys &keys, const SchedulerContext &context) : keys_(keys), context_(context) {}

  LrSchedule run();

private:
  std::string path(llvm::StringRef name) const { return ("scheduler.params." + name).str(); }

  /// null where the key is not there, says null, or "auto".
  const Value *take(llvm::StringRef name) {
    const Value *json = keys_.take(path(name));
    return json && !json->getAsNull() ? json : nullptr;
  }

  double rate(llvm::StringRef name, double otherwise) {
    const Value *json = take(name);
    if (!json) return otherwise;
    const double number = json->getAsNumber().getValueOr(-1);
    if (std::isfinite(number) && number >= 0) return number;
    if (json->getAsArray())
      keys_.wrong(path(name), "is a list; all parameters have one learning rate here", "say one number");
    else
      keys_.wrong(path(name), "is out of range, or no number", "say a number from 0 on");
    return otherwise;
  }

  int64_t count(llvm::StringRef name, int64_t least, int64_t otherwise) {
    const Value *json = take(name);
    if (!json) return otherwise;
    if (auto number = json->getAsInteger(); number && *number >= least && *number <= kMost) return *number;
    keys_.wrong(path(name), "is out of range, or no whole number", "say a number that it can have");
    return otherwise;
  }

  bool isAuto(llvm::StringRef name) const { return keys_.isAuto(path(name)); }

  void require(llvm::StringRef name) {
    if (!take(name)) keys_.wrong(path(name), "is missing", "say it: DeepSpeed has no default for it");
  }

  /// What WarmupLR, WarmupDecayLR and WarmupCosineLR share.
  LrSchedule warmup(LrKind kind, double peak, double from, double minimum) {
    LrSchedule s{.kind = kind, .peak = peak, .minimum = minimum, .warmupFrom = from, .isLate = true};
    s.warmupSteps = count("warmup_num_steps", 1, isAuto("warmup_num_steps") ? 0 : 1000); // "auto": a flag says it
    const Value *type = take("warmup_type");
    const llvm::StringRef shape = type ? type->getAsString().getValueOr("") : "log";
    if (shape != "log" && shape != "linear")
      keys_.wrong(path("warmup_type"), "is neither log nor linear", "say one of the two");
    s.warmupShape = shape == "linear" ? WarmupShape::Linear : WarmupShape::Log;
    if (kind != LrKind::Constant) s.decaySteps = count("total_num_steps", 1, 0);
    return s;
  }

  LrSchedule warmupLr() {
    return warmup(LrKind::Constant, rate("warmup_max_lr", context_.lr), rate("warmup_min_lr", 0), 0);
  }

  LrSchedule warmupDecayLr() {
    const double least = rate("warmup_min_lr", 0),
                 most = rate("warmup_max_lr", isAuto("warmup_max_lr") ? context_.lr : 1e-3);
    return warmup(LrKind::Linear, most, least, least);
  }

  LrSchedule warmupCosineLr() {
    const double from = rate("warmup_min_ratio", 0), least = rate("cos_min_ratio", 1e-4);
    return warmup(LrKind::Cosine, context_.lr, from * context_.lr, least * context_.lr);
  }

  LrSchedule oneCycle() {
    for (llvm::StringRef name : {"cycle_min_lr", "cycle_max_lr"})
      require(name);
    LrSchedule s{.kind = LrKind::Linear, .peak = rate("cycle_max_lr", context_.lr), .minimum = rate("cycle_min_lr", 0)};
    s.warmupFrom = s.minimum;
    s.warmupSteps = count("cycle_first_step_size", 1, 2000);
    s.decaySteps = s.warmupSteps + count("cycle_second_step_size", 0, s.warmupSteps);
    s.warmupStairs = count("cycle_first_stair_count", 0, 0);
    s.decayStairs = count("cycle_second_stair_count", 0, s.warmupStairs);
    const int64_t interval = count("decay_step_size", 0, 0);
    const double decay = rate("decay_lr_rate", 0);
    if (interval > 0) s.decayAfter = decay / double(interval);
    readMomentum();
    return s;
  }

  /// Beta 1 is a number of a plan's kernels. DeepSpeed leaves optimizers without betas as they are.
  void readMomentum() {
    const Value *cycles = take("cycle_momentum");
    if (cycles && !cycles->getAsBoolean())
      keys_.wrong(path("cycle_momentum"), "is neither true nor false", "say false");
    else if (context_.hasBetas && (!cycles || *cycles->getAsBoolean()))
      keys_.wrong(path("cycle_momentum"),
                  "is true, as it is unless it says otherwise, and a plan's betas cannot change", "set it to false");
    for (llvm::StringRef unused : {"cycle_min_mom", "cycle_max_mom", "decay_mom_rate"})
      take(unused);
  }

  struct Row {
    llvm::StringLiteral type;
    LrSchedule (SchedulerReader::*read)();
  };
  static constexpr Row kRows[] = {{"WarmupLR", &SchedulerReader::warmupLr},
                                  {"WarmupDecayLR", &SchedulerReader::warmupDecayLr},
                                  {"WarmupCosineLR", &SchedulerReader::warmupCosineLr},
                                  {"OneCycle", &SchedulerReader::oneCycle}};

  DeepSpeedKeys &keys_;
  const SchedulerContext &context_;
};

LrSchedule SchedulerReader::run() {
  const Value *type = keys_.take("scheduler.type");
  const llvm::StringRef name = type ? type->getAsString().getValueOr("") : "";
  auto row = llvm::find_if(kRows, [&](const Row &each) { return each.type == name; });
  if (row == std::end(kRows)) {
    keys_.wrong("scheduler.type", "is not WarmupLR, WarmupDecayLR, WarmupCosineLR or OneCycle",
                "name one of these, or remove the section and give --lr-schedule");
    keys_.takeAll("scheduler.params.");
    return {.peak = context_.lr};
  }
  if (count("last_batch_iteration", -1, -1) != -1)
    keys_.wrong(path("last_batch_iteration"), "is not -1: a run begins with its first step", "remove it");
  return (this->*row->read)();
}

} // namespace

LrSchedule readScheduler(DeepSpeedKeys &keys, const SchedulerContext &context) {
  return SchedulerReader(keys, context).run();
}

} // namespace autotp

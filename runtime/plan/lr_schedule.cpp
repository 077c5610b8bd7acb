#include "runtime/plan/lr_schedule.h"

#include "runtime/base/error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kLinear = "linear", kLog = "log";

/// Of a schedule that falls to its minimum: all its steps; 0: as many as a run that is not known yet.
int64_t allSteps(const LrSchedule &s) { return s.kind == LrKind::Wsd || s.decaySteps == 0 ? s.runSteps : s.decaySteps; }

/// max(2, warmup_num_steps) in DeepSpeed's WarmupLR and those after it, whose logarithm they divide by.
int64_t warmupSteps(const LrSchedule &s) { return s.isLate ? std::max<int64_t>(2, s.warmupSteps) : s.warmupSteps; }

std::string text(double number) {
  std::string digits;
  llvm::raw_string_ostream(digits) << llvm::format("%.6g", number);
  return digits;
}

std::string stepsText(int64_t n) { return std::to_string(n) + (n == 1 ? " step" : " steps"); }

bool fallsToMinimum(LrKind kind) { return kind == LrKind::Linear || kind == LrKind::Cosine || kind == LrKind::Wsd; }

/// `done` of `all` steps as a share, in stairs if there are any (OneCycle's _get_scale_factor).
double shareOf(double done, double all, int64_t stairs) {
  if (stairs == 0) return done / std::max(1.0, all);
  return std::floor(done * double(stairs) / std::max(1.0, all)) / double(stairs);
}

double cosineShare(double progress) { return progress >= 1 ? 0 : 0.5 * (1 + std::cos(std::numbers::pi * progress)); }

/// The rate in the warm-up, after `done` of its steps; below 0 it has not begun. transformers' lambdas with num_warmup_steps,
/// of which wsd's begins with the minimum; DeepSpeed's WarmupLR._get_gamma; OneCycle's first half.
double warmingUp(const LrSchedule &s, double done) {
  if (done < 0)
    return s.kind == LrKind::Cosine ? 0 : s.warmupFrom; // WarmupCosineLR.get_lr sets 0 before its first step
  const double all = double(warmupSteps(s)), from = s.kind == LrKind::Wsd ? s.minimum : s.warmupFrom;
  const double share =
      s.warmupShape == WarmupShape::Log ? std::log(done + 1) / std::log(all) : shareOf(done, all, s.warmupStairs);
  return from + (s.peak - from) * share;
}

/// get_linear_schedule_with_warmup, WarmupDecayLR._get_gamma with its lateness in `done`, and OneCycle's second half with
/// what comes after it (_get_decay_lr).
double fallingLinearly(const LrSchedule &s, double done) {
  const double all = double(allSteps(s)), warmup = double(warmupSteps(s));
  if (done > all) return s.minimum / (1 + s.decayAfter * (done - all));
  return s.minimum + (s.peak - s.minimum) * shareOf(all - done, all - warmup, s.decayStairs);
}

} // namespace

double learningRateAt(const LrSchedule &s, int64_t step) {
  assert(step >= 1 && (!fallsToMinimum(s.kind) || allSteps(s) > 0));
  const double calls = double(step - 1), done = s.isLate ? calls - 1 : calls; // calls of step(); steps of the schedule
  const double warmup = double(warmupSteps(s)), all = double(allSteps(s));
  if (done < warmup) return warmingUp(s, done);
  const double range = s.peak - s.minimum;
  switch (s.kind) {
  case LrKind::Constant:
    return s.peak;
  case LrKind::Linear:
    return fallingLinearly(s, done);
  case LrKind::Cosine: // get_cosine_with_min_lr_schedule_with_warmup; WarmupCosineLR's decay adds 1, so it is not late
    return s.minimum + range * cosineShare((calls - warmup) / std::max(1.0, all - warmup));
  case LrKind::Wsd: { // get_wsd_schedule
    const double decay = double(s.decaySteps), stable = all - decay;
    return calls < stable ? s.peak : s.minimum + range * cosineShare((calls - stable) / std::max(1.0, decay));
  }
  case LrKind::InverseSqrt: { // get_inverse_sqrt_schedule, with its own time scale
    const double scale = s.warmupSteps > 0 ? warmup : 10000, shift = scale - warmup;
    return std::max(s.minimum, s.peak / std::sqrt((calls + shift) / scale));
  }
  }
  return s.peak;
}

bool isOneRate(const LrSchedule &s) { return s.kind == LrKind::Constant && warmupSteps(s) == 0; }

std::string textOf(const LrSchedule &s) {
  std::string all = text(s.peak) + ", " + nameOf(s.kind).str();
  const std::string run = s.runSteps ? "the run's " + stepsText(s.runSteps) : "the run's steps";
  if (s.kind == LrKind::Wsd)
    all += " over " + run + ", of which the last " + std::to_string(s.decaySteps) + " decay";
  else if (fallsToMinimum(s.kind))
    all += " over " + (s.decaySteps ? stepsText(s.decaySteps) : run);
  if (const int64_t warmup = warmupSteps(s)) all += ", warm-up " + stepsText(warmup);
  if (s.warmupFrom != 0) all += " from " + text(s.warmupFrom);
  if (s.warmupShape == WarmupShape::Log) all += " by the logarithm";
  if (s.isLate) all += ", a step late as in DeepSpeed";
  if (s.kind != LrKind::Constant) all += ", min lr " + text(s.minimum);
  if (s.decayAfter != 0) all += ", and falls on from there";
  return all;
}

bool isInRange(const LrSchedule &s) {
  auto isRate = [](double x) { return std::isfinite(x) && x >= 0; };
  auto isCount = [](int64_t n) { return n >= 0 && double(n) <= kMostSteps; };
  return isRate(s.peak) && isRate(s.minimum) && isRate(s.warmupFrom) && isRate(s.decayAfter) &&
         isCount(s.warmupSteps) && isCount(s.decaySteps) && isCount(s.warmupStairs) && isCount(s.decayStairs);
}

llvm::Error checkSchedule(const LrSchedule &s) {
  llvm::Error errors = llvm::Error::success();
  auto add = [&](llvm::StringRef flag, const std::string &what, llvm::StringRef remedy) {
    errors = llvm::joinErrors(std::move(errors), problem(flag, what, remedy));
  };
  const std::string kind = nameOf(s.kind).str();
  if (s.minimum > s.peak)
    add("--min-lr", text(s.minimum) + " is above the learning rate, " + text(s.peak),
        "give a smaller one, or a larger --lr");
  if (s.warmupFrom > s.peak)
    add("--lr", text(s.peak) + " is below what the warm-up begins with, " + text(s.warmupFrom),
        "give a larger one, or another --lr-schedule");
  if (s.kind == LrKind::Constant && s.minimum != 0)
    add("--min-lr", "a constant learning rate does not fall", "leave it out, or name another --lr-schedule");
  if (s.decaySteps != 0 && !fallsToMinimum(s.kind))
    add("--decay-steps", "the schedule " + kind + " has no end", "leave it out, or name another --lr-schedule");
  if (s.kind == LrKind::Wsd && s.decaySteps == 0)
    add("--decay-steps", "the schedule wsd does not say how many of its last steps decay", "give it");
  const bool isWsd = s.kind == LrKind::Wsd;
  const int64_t all = allSteps(s), before = warmupSteps(s) + (isWsd ? s.decaySteps : 0);
  if (fallsToMinimum(s.kind) && all != 0 && before > all)
    add("--warmup-steps",
        llvm::formatv("the warm-up{0} takes {1} steps, and the whole schedule {2}", isWsd ? " with the decay" : "",
                      before, all)
            .str(),
        isWsd ? "give fewer of the two, or more --steps" : "give fewer, or more --steps or --decay-steps");
  return errors;
}

llvm::StringRef nameOf(LrKind kind) {
  return llvm::find_if(kLrKinds, [&](const LrKindRow &row) { return row.kind == kind; })->name;
}

llvm::json::Value toJSON(LrKind kind) { return nameOf(kind); }
llvm::json::Value toJSON(WarmupShape shape) { return shape == WarmupShape::Log ? kLog : kLinear; }

bool fromJSON(const llvm::json::Value &value, LrKind &kind, llvm::json::Path path) {
  for (const LrKindRow &row : kLrKinds)
    if (value.getAsString() == llvm::StringRef(row.name)) {
      kind = row.kind;
      return true;
    }
  path.report("is no schedule of the learning rate");
  return false;
}

bool fromJSON(const llvm::json::Value &value, WarmupShape &shape, llvm::json::Path path) {
  if (value.getAsString() == llvm::StringRef(kLog)) {
    shape = WarmupShape::Log;
  } else if (value.getAsString() == llvm::StringRef(kLinear)) {
    shape = WarmupShape::Linear;
  } else {
    path.report("is neither linear nor log");
    return false;
  }
  return true;
}

} // namespace autotp

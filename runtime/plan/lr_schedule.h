/// \file The learning rate of each training step: the schedules of transformers' get_scheduler (optimization.py), and those
/// of DeepSpeed (runtime/lr_schedules.py). docs/guide/schedules.md shows which of their names is what here.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <optional>
#include <string>

namespace autotp {

/// What the rate does after its warm-up.
enum class LrKind : uint8_t { Constant, Linear, Cosine, Wsd, InverseSqrt };

struct LrKindRow {
  LrKind kind;
  llvm::StringLiteral name, help;
};
constexpr LrKindRow kLrKinds[] = {
    {LrKind::Constant, "constant", "it stays as it is"},
    {LrKind::Linear, "linear", "it falls to --min-lr on a straight line"},
    {LrKind::Cosine, "cosine", "it falls to --min-lr along half a cosine"},
    {LrKind::Wsd, "wsd", "it is stable, then falls along half a cosine in the last --decay-steps of the run"},
    {LrKind::InverseSqrt, "inverse-sqrt", "it falls as the root of the steps, and not below --min-lr"}};

/// How the rate rises in the warm-up: by the number of steps, or by its logarithm.
enum class WarmupShape : uint8_t { Linear, Log };

/// No number of steps is more.
constexpr double kMostSteps = 1e12;

struct LrSchedule {
  LrKind kind = LrKind::Constant;
  double peak = 1e-3; ///< at the end of the warm-up; without a schedule, the rate of every step
  double minimum = 0; ///< what the rate falls to, and keeps; with wsd also what the warm-up begins with
  int64_t warmupSteps = 0;
  /// The steps of the whole schedule, warm-up included; with wsd those of the decay alone. 0: the whole is as long as the run.
  int64_t decaySteps = 0;
  int64_t runSteps = 0; ///< that autotp-run was asked for; 0: not known yet, in a compiler or a manifest

  // What only DeepSpeed's schedulers have.
  double warmupFrom = 0; ///< the first rate of the warm-up
  WarmupShape warmupShape = WarmupShape::Linear;
  /// Warm-up and linear decay come one step late, and a warm-up takes at least 2 steps. A late cosine's first rate is 0.
  bool isLate = false;
  int64_t warmupStairs = 0,
          decayStairs = 0; ///< a straight line in so many stairs; 0: in one step for each training step
  double decayAfter = 0;   ///< n steps beyond a linear decay the rate is minimum / (1 + n * decayAfter)

  bool operator==(const LrSchedule &) const = default;
};

/// The rate of training step `step`, which counts from 1: the value that the references set for it, after step - 1 calls of
/// their scheduler's step(). A warm-up of transformers therefore begins with a rate of 0. Steps beyond the end keep the last
/// rate, where transformers' cosine would rise again. A schedule that ends with the run needs its runSteps.
double learningRateAt(const LrSchedule &schedule, int64_t step);

/// "0.001, cosine over 100 steps, warm-up 10 steps, min lr 1e-05".
std::string textOf(const LrSchedule &schedule);

/// Whether all steps have one rate.
bool isOneRate(const LrSchedule &schedule);

/// Whether each number is one that a schedule may have: a file may say anything.
bool isInRange(const LrSchedule &schedule);

/// Errors, all at once, by the flags that say it: numbers that contradict each other, such as a warm-up that is longer than
/// all steps. What depends on the run's steps is left out where these are not known.
llvm::Error checkSchedule(const LrSchedule &schedule);

llvm::StringRef nameOf(LrKind kind);

// How a manifest spells them.
llvm::json::Value toJSON(LrKind kind);
llvm::json::Value toJSON(WarmupShape shape);
bool fromJSON(const llvm::json::Value &value, LrKind &kind, llvm::json::Path path);
bool fromJSON(const llvm::json::Value &value, WarmupShape &shape, llvm::json::Path path);

} // namespace autotp

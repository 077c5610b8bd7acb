/// \file The optimizers that --optimizer names, with torch's rules, and how they update parameters. One row an optimizer
/// (optimizer_options.cpp); its numbers are rows of passes/options/optimizer_rows.cpp.
#pragma once

#include "runtime/plan/lr_schedule.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>

namespace autotp {

class Graph;
struct Updates;

enum class OptimizerKind : uint8_t { AdamW, Adam, Sgd, Momentum, Adagrad };

struct OptimizerOptions {
  LrSchedule lr = {}; ///< a plan's manifest holds it: the rate of a step is an input of its program
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1, clipGradNorm = 0;
  bool decaysAll = false; ///< else parameters of rank 2 and more
  OptimizerKind kind = OptimizerKind::AdamW;
  double momentum = 0, dampening = 0, lrDecay = 0, initialAccumulator = 0;
  bool isNesterov = false;
};

llvm::ArrayRef<OptimizerKind> allOptimizers();
/// "adamw", "adam", "sgd", "momentum" or "adagrad".
llvm::StringRef nameOf(OptimizerKind kind);
/// What its rule is, in a few words, for --help.
llvm::StringRef helpOf(OptimizerKind kind);
/// As DeepSpeed's configuration calls it; empty: it is no optimizer of its own there.
llvm::StringRef deepSpeedNameOf(OptimizerKind kind);
std::optional<OptimizerKind> optimizerNamed(llvm::StringRef name);
/// What an optimizer does where nothing else is said: torch's defaults, but for AdamW, which keeps this project's.
OptimizerOptions defaultsOf(OptimizerKind kind);
/// Whether this optimizer has an option that others lack, by the name of its flag ("beta1").
bool hasOption(OptimizerKind kind, llvm::StringRef option);
/// Errors name flags whose numbers, each of which is in its range, make no sense together.
llvm::Error checkOptions(const OptimizerOptions &options);

/// How these options update all parameters of a graph.
Updates updatesOf(const OptimizerOptions &options, const Graph &graph);

} // namespace autotp

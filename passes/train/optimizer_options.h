/// \file The optimizers that --optimizer names, with torch's rules, and how they update parameters.
#pragma once

#include "compiler/ir/updates.h"

#include "llvm/Support/Error.h"

#include <optional>

namespace autotp {

enum class OptimizerKind : uint8_t { AdamW, Adam, Sgd, Momentum, Adagrad };

struct OptimizerOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1, clipGradNorm = 0;
  bool decaysAll = false; ///< else parameters of rank 2 and more
  OptimizerKind kind = OptimizerKind::AdamW;
  double momentum = 0, dampening = 0, lrDecay = 0, initialAccumulator = 0;
  bool isNesterov = false;
};

/// "adamw", "adam", "sgd", "momentum" or "adagrad".
llvm::StringRef nameOf(OptimizerKind kind);
std::optional<OptimizerKind> optimizerNamed(llvm::StringRef name);
/// What an optimizer does where nothing else is said: torch's defaults, but for AdamW, which keeps this project's.
OptimizerOptions defaultsOf(OptimizerKind kind);
/// Whether this optimizer has an option of its own, by the name of its flag ("beta1"). All have lr and weight-decay.
bool hasOption(OptimizerKind kind, llvm::StringRef option);
/// Errors name the flag whose number makes no sense, alone or with another.
llvm::Error checkOptions(const OptimizerOptions &options);

/// How these options update all parameters of a graph.
Updates updatesOf(const OptimizerOptions &options, const Graph &graph);

} // namespace autotp

/// \file How parameters are updated in each step, according to an optimizer's options or to the model's own training
/// graph. The optimizer steps of a plan do exactly this, which the certificate proves.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// One update of compiler/ops/optimizer.cpp, with its numbers.
struct UpdateRule {
  std::string op;                      ///< "adam", "adagrad", "momentum" or "sgd"
  Attributes attributes;               ///< those of the operator, without the segments that decay
  llvm::SmallVector<float, 2> initial; ///< for each of its states, the value of all elements before the first step
  /// Outputs of the schedule: the learning rate, and the number of updates as this operator counts them.
  std::string rate, count;
};

struct Updates {
  /// Computes the f32 scalars of a step from the inputs "learning_rate" and "step" (which begins at 1) and from states
  /// that it owns. The output nextName(STATE) is the value of a state in the next step.
  Graph schedule;
  std::vector<Tensor> initial; ///< contents of the schedule's states before the first step, in their order
  std::vector<UpdateRule> rules;
  struct Parameter {
    unsigned rule;
    bool decays;
  };
  llvm::StringMap<Parameter> parameters; ///< every trained parameter; only looked up
  double clipGradNorm = 0;               ///< the limit of the norm of all gradients together; 0 disables clipping

  static std::string nextName(llvm::StringRef state) { return "next:" + state.str(); }
  const UpdateRule &ruleOf(llvm::StringRef parameter) const { return rules[parameters.lookup(parameter).rule]; }
  /// Whether the schedule computes the learning rate, so that the one which the user of a plan gives is not read.
  bool hasOwnRate() const { return schedule.sources(ValueKind::Input).empty(); }
};

} // namespace autotp

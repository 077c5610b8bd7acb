/// \file How parameters are updated in each step: what an optimizer's options ask for, or a model's own training graph.
/// The optimizer steps of a plan do this and no more, which its certificate proves.
#pragma once

#include "compiler/ir/graph.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// One update of compiler/ops/optimizer.cpp, with its numbers.
struct UpdateRule {
  std::string op;                      ///< "adam", "adagrad", "momentum" or "sgd"
  Attributes attributes;               ///< of it, but for the segments that decay
  llvm::SmallVector<float, 2> initial; ///< what each of its states holds throughout before the first step
  std::string rate, count; ///< outputs of the schedule: its learning rate, and the number of updates as it counts them
};

struct Updates {
  /// f32 scalars of a step, from the inputs "learning_rate" and "step" (from 1) and from states that it owns; output
  /// nextName(STATE) is what a state holds in the next step.
  Graph schedule;
  std::vector<Tensor> initial; ///< of the schedule's states, in their order
  std::vector<UpdateRule> rules;
  struct Parameter {
    unsigned rule;
    bool decays;
  };
  llvm::StringMap<Parameter> parameters; ///< all that are trained; looked up only
  double clipGradNorm = 0;               ///< of all gradients together; 0: not at all

  static std::string nextName(llvm::StringRef state) { return "next:" + state.str(); }
  const UpdateRule &ruleOf(llvm::StringRef parameter) const { return rules[parameters.lookup(parameter).rule]; }
  /// Whether the learning rate is the schedule's own, not the one that whoever runs a plan gives it.
  bool hasOwnRate() const { return schedule.sources(ValueKind::Input).empty(); }
};

} // namespace autotp

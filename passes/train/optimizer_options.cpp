#include "passes/train/optimizer_options.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

#include <cmath>

namespace autotp {
namespace {

struct Row {
  OptimizerKind kind;
  llvm::StringLiteral name;
  llvm::SmallVector<llvm::StringLiteral, 4> options; ///< its own
};

const Row kRows[] = {
    {OptimizerKind::AdamW, "adamw", {"beta1", "beta2", "eps"}},
    {OptimizerKind::Adam, "adam", {"beta1", "beta2", "eps"}},
    {OptimizerKind::Sgd, "sgd", {}},
    {OptimizerKind::Momentum, "momentum", {"momentum", "dampening", "nesterov"}},
    {OptimizerKind::Adagrad, "adagrad", {"eps", "lr-decay", "initial-accumulator"}},
};

const Row &rowOf(OptimizerKind kind) {
  return *llvm::find_if(kRows, [&](const Row &row) { return row.kind == kind; });
}

/// torch.optim's formulas, as rows of compiler/ops/optimizer.cpp.
UpdateRule ruleOf(const OptimizerOptions &o) {
  UpdateRule rule;
  rule.rate = "learning_rate";
  const bool countsFromOne = o.kind == OptimizerKind::AdamW || o.kind == OptimizerKind::Adam;
  rule.count = countsFromOne ? "step" : "steps_before";
  switch (o.kind) {
  case OptimizerKind::AdamW:
  case OptimizerKind::Adam:
    rule.op = "adam";
    rule.attributes = {{"beta1", o.beta1}, {"beta2", o.beta2}, {"corrects_root", int64_t(1)}, {"epsilon", o.epsilon}};
    rule.attributes.set(o.kind == OptimizerKind::AdamW ? "decay_before" : "l2", o.weightDecay);
    rule.initial = {0, 0};
    break;
  case OptimizerKind::Sgd:
    rule.op = "sgd";
    rule.attributes = {{"l2", o.weightDecay}};
    break;
  case OptimizerKind::Momentum:
    rule.op = "momentum";
    rule.attributes = {{"beta", 1 - o.dampening},
                       {"l2", o.weightDecay},
                       {"momentum", o.momentum},
                       {"nesterov", int64_t(o.isNesterov)}};
    rule.initial = {0};
    break;
  case OptimizerKind::Adagrad:
    rule.op = "adagrad";
    rule.attributes = {{"epsilon", o.epsilon}, {"l2", o.weightDecay}, {"rate_decay", o.lrDecay}};
    rule.initial = {float(o.initialAccumulator)};
    break;
  }
  return rule;
}

} // namespace

llvm::StringRef nameOf(OptimizerKind kind) { return rowOf(kind).name; }

std::optional<OptimizerKind> optimizerNamed(llvm::StringRef name) {
  for (const Row &row : kRows)
    if (row.name == name) return row.kind;
  return std::nullopt;
}

OptimizerOptions defaultsOf(OptimizerKind kind) {
  OptimizerOptions o;
  o.kind = kind;
  if (kind == OptimizerKind::AdamW) return o;
  o.beta2 = 0.999;
  o.weightDecay = 0;
  if (kind == OptimizerKind::Momentum) o.momentum = 0.9; // torch's SGD has none
  if (kind == OptimizerKind::Adagrad) {
    o.lr = 1e-2;
    o.epsilon = 1e-10;
  }
  return o;
}

bool hasOption(OptimizerKind kind, llvm::StringRef option) {
  return option == "lr" || option == "weight-decay" || llvm::is_contained(rowOf(kind).options, option);
}

llvm::Error checkOptions(const OptimizerOptions &o) {
  struct Bound {
    const char *flag;
    double value;
    bool isBelowOne; ///< else any that is not negative
  };
  for (const Bound &bound : {Bound{"--lr", o.lr, false},
                             {"--beta1", o.beta1, true},
                             {"--beta2", o.beta2, true},
                             {"--eps", o.epsilon, false},
                             {"--weight-decay", o.weightDecay, false},
                             {"--momentum", o.momentum, false},
                             {"--dampening", o.dampening, false},
                             {"--lr-decay", o.lrDecay, false},
                             {"--initial-accumulator", o.initialAccumulator, false},
                             {"--clip-grad-norm", o.clipGradNorm, false}})
    if (!std::isfinite(bound.value) || bound.value < 0 || (bound.isBelowOne && bound.value >= 1))
      return problem(bound.flag, llvm::formatv("{0} is {1}", bound.value,
                                               bound.isBelowOne ? "not in [0, 1)" : "negative, infinite or no number")
                                     .str());
  if (o.isNesterov && (o.dampening != 0 || o.momentum <= 0))
    return problem("--nesterov", "it needs a momentum, and no dampening", "leave --dampening out");
  return llvm::Error::success();
}

Updates updatesOf(const OptimizerOptions &options, const Graph &graph) {
  Updates updates;
  updates.clipGradNorm = options.clipGradNorm;
  const Type scalar{DType::F32, {}};
  const ValueId rate = updates.schedule.addInput("learning_rate", scalar),
                step = updates.schedule.addInput("step", scalar);
  updates.rules = {ruleOf(options)};
  updates.schedule.outputs = {{"learning_rate", rate}};
  ValueId count = step;
  if (updates.rules[0].count != "step") {
    Builder b(updates.schedule);
    b.origin = "schedule";
    count = b.make("sub", {step, b.scalar(DType::F32, 1)});
  }
  updates.schedule.outputs.push_back({updates.rules[0].count, count});
  for (const ParameterInfo &parameter : graph.parameters) {
    const Value &value = graph.value(parameter.value);
    updates.parameters[value.name] = {0, options.decaysAll || value.type.shape.size() >= 2};
  }
  return updates;
}

} // namespace autotp

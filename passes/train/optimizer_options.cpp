#include "passes/train/optimizer_options.h"

#include "compiler/ir/updates.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// torch.optim's formulas, as rows of compiler/ops/optimizer.cpp. `op`: its name there; states begin with `initial`.
UpdateRule ruleOf(llvm::StringRef op, Attributes attributes, llvm::SmallVector<float, 2> initial,
                  llvm::StringRef count = "steps_before") {
  return {op.str(), std::move(attributes), std::move(initial), "learning_rate", count.str()};
}

UpdateRule adamRule(const OptimizerOptions &o, llvm::StringRef decay) {
  Attributes attributes = {
      {"beta1", o.beta1}, {"beta2", o.beta2}, {"corrects_root", int64_t(1)}, {"epsilon", o.epsilon}};
  attributes.set(decay, o.weightDecay);
  return ruleOf("adam", std::move(attributes), {0, 0}, /*count=*/"step"); // from 1 on
}

UpdateRule adamWRule(const OptimizerOptions &o) { return adamRule(o, "decay_before"); }
UpdateRule coupledAdamRule(const OptimizerOptions &o) { return adamRule(o, "l2"); }
UpdateRule sgdRule(const OptimizerOptions &o) { return ruleOf("sgd", {{"l2", o.weightDecay}}, {}); }

UpdateRule momentumRule(const OptimizerOptions &o) {
  return ruleOf(
      "momentum",
      {{"beta", 1 - o.dampening}, {"l2", o.weightDecay}, {"momentum", o.momentum}, {"nesterov", int64_t(o.isNesterov)}},
      {0});
}

UpdateRule adagradRule(const OptimizerOptions &o) {
  return ruleOf("adagrad", {{"epsilon", o.epsilon}, {"l2", o.weightDecay}, {"rate_decay", o.lrDecay}},
                {float(o.initialAccumulator)});
}

struct Row {
  OptimizerKind kind;
  llvm::StringRef name, deepSpeed, help;
  std::vector<llvm::StringRef> options; ///< that others lack, by their flags
  OptimizerOptions defaults;
  UpdateRule (*rule)(const OptimizerOptions &);
};

using enum OptimizerKind;

const Row kRows[] = {
    {.kind = AdamW,
     .name = "adamw",
     .deepSpeed = "AdamW",
     .help = "Adam, whose weight decay is decoupled",
     .options = {"beta1", "beta2", "eps"},
     .defaults = {},
     .rule = adamWRule},
    {.kind = Adam,
     .name = "adam",
     .deepSpeed = "Adam",
     .help = "Adam, whose weight decay is added to the gradient, as in those below",
     .options = {"beta1", "beta2", "eps"},
     .defaults = {.beta2 = 0.999, .weightDecay = 0},
     .rule = coupledAdamRule},
    {.kind = Sgd,
     .name = "sgd",
     .deepSpeed = "SGD", // with a momentum it is the next one
     .help = "gradient descent, without a state",
     .options = {},
     .defaults = {.beta2 = 0.999, .weightDecay = 0},
     .rule = sgdRule},
    {.kind = Momentum,
     .name = "momentum",
     .deepSpeed = "",
     .help = "torch's SGD with a momentum",
     .options = {"momentum", "dampening", "nesterov"},
     .defaults = {.beta2 = 0.999, .weightDecay = 0, .momentum = 0.9},
     .rule = momentumRule},
    {.kind = Adagrad,
     .name = "adagrad",
     .deepSpeed = "Adagrad",
     .help = "rates by the sum of squared gradients",
     .options = {"eps", "lr-decay", "initial-accumulator"},
     .defaults = {.lr = {.peak = 1e-2}, .beta2 = 0.999, .epsilon = 1e-10, .weightDecay = 0},
     .rule = adagradRule},
};

const Row &rowOf(OptimizerKind kind) {
  return *llvm::find_if(kRows, [&](const Row &row) { return row.kind == kind; });
}

} // namespace

llvm::ArrayRef<OptimizerKind> allOptimizers() {
  static const std::vector<OptimizerKind> kinds = [] {
    std::vector<OptimizerKind> all;
    for (const Row &row : kRows)
      all.push_back(row.kind);
    return all;
  }();
  return kinds;
}

llvm::StringRef nameOf(OptimizerKind kind) { return rowOf(kind).name; }
llvm::StringRef helpOf(OptimizerKind kind) { return rowOf(kind).help; }
llvm::StringRef deepSpeedNameOf(OptimizerKind kind) { return rowOf(kind).deepSpeed; }

std::optional<OptimizerKind> optimizerNamed(llvm::StringRef name) {
  for (const Row &row : kRows)
    if (row.name == name) return row.kind;
  return std::nullopt;
}

OptimizerOptions defaultsOf(OptimizerKind kind) {
  OptimizerOptions o = rowOf(kind).defaults;
  o.kind = kind;
  return o;
}

bool hasOption(OptimizerKind kind, llvm::StringRef option) { return llvm::is_contained(rowOf(kind).options, option); }

llvm::Error checkOptions(const OptimizerOptions &o) {
  llvm::Error errors = checkSchedule(o.lr);
  if (o.isNesterov && (o.dampening != 0 || o.momentum <= 0))
    errors = llvm::joinErrors(problem("--nesterov", "it needs a momentum, and no dampening", "leave --dampening out"),
                              std::move(errors));
  return errors;
}

Updates updatesOf(const OptimizerOptions &options, const Graph &graph) {
  Updates updates;
  updates.clipGradNorm = options.clipGradNorm;
  const Type scalar{DType::F32, {}};
  const ValueId rate = updates.schedule.addInput("learning_rate", scalar),
                step = updates.schedule.addInput("step", scalar);
  updates.rules = {rowOf(options.kind).rule(options)};
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

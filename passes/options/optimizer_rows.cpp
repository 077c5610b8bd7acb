#include "passes/options/option_rows.h"

#include "passes/options/option_row.h"

namespace autotp {
namespace {

OptionValue kindNumber(const CompileOptions &o) { return int64_t(o.step.optimizer.kind); }

/// Another optimizer brings its own defaults; the clipping is none of its.
void setKind(CompileOptions &o, const OptionValue &value) {
  const auto kind = OptimizerKind(std::get<int64_t>(value));
  OptimizerOptions &optimizer = o.step.optimizer;
  if (kind == optimizer.kind) return;
  const double clipGradNorm = optimizer.clipGradNorm;
  optimizer = defaultsOf(kind);
  optimizer.clipGradNorm = clipGradNorm;
}

std::vector<OptionWord> optimizerWords() {
  std::vector<OptionWord> words;
  for (OptimizerKind kind : allOptimizers())
    words.push_back({nameOf(kind), int64_t(kind), helpOf(kind)});
  return words;
}

constexpr OptionWord kDecayed[] = {{"matrices", 0, "parameters of rank 2 and more"}, {"all", 1, "all parameters"}};

/// A number or switch of OptimizerOptions.
template <auto kMember> constexpr OptionMember of() {
  return at<&CompileOptions::step, &StepOptions::optimizer, kMember>();
}

constexpr uint8_t kEvery = kOfTrainingGraph; // every optimizer has it
/// Only those that name it in their row of passes/train/optimizer_options.cpp have it.
constexpr uint8_t kSome = kOfTrainingGraph | kOfOptimizer | kDefaultOfOptimizer;

using Options = OptimizerOptions;

constexpr OptionRow kRows[] = {
    {.flag = "optimizer",
     .member = {OptionKind::Word, kindNumber, setKind},
     .key = "optimizer",
     .deepSpeed = "optimizer.type",
     .traits = kEvery | kConverted,
     .help = "with torch's rules",
     .detail = "A model that brings its own training graph is updated as that says, and flags of the optimizer "
               "are errors then"},
    {.flag = "lr",
     .member = of<&Options::lr>(),
     .field = &Manifest::lr,
     .deepSpeed = "optimizer.params.lr",
     .traits = kEvery | kDefaultOfOptimizer,
     .help = "learning rate"},
    {.flag = "weight-decay",
     .member = of<&Options::weightDecay>(),
     .key = "weight_decay",
     .deepSpeed = "optimizer.params.weight_decay",
     .traits = kEvery | kDefaultOfOptimizer,
     .help = "weight decay; decoupled with adamw, else added to the gradient"},
    {.flag = "decay",
     .member = wordAt<&CompileOptions::step, &StepOptions::optimizer, &Options::decaysAll>(),
     .words = kDecayed,
     .key = "decays_all",
     .recorded = of<&Options::decaysAll>(),
     .traits = kEvery,
     .help = "what decays"},
    {.flag = "clip-grad-norm",
     .member = of<&Options::clipGradNorm>(),
     .key = "clip_grad_norm",
     .deepSpeed = "gradient_clipping",
     .traits = kEvery,
     .help = "clip the global gradient norm",
     .defaultText = "no clipping"},
    {.flag = "beta1",
     .member = of<&Options::beta1>(),
     .range = kBelowOne,
     .key = "beta1",
     .deepSpeed = "optimizer.params.betas",
     .traits = kSome | kConverted,
     .help = "decay of the mean of gradients"},
    {.flag = "beta2",
     .member = of<&Options::beta2>(),
     .range = kBelowOne,
     .key = "beta2",
     .deepSpeed = "optimizer.params.betas",
     .traits = kSome | kConverted,
     .help = "decay of the mean of their squares"},
    {.flag = "eps",
     .member = of<&Options::epsilon>(),
     .key = "eps",
     .deepSpeed = "optimizer.params.eps",
     .traits = kSome,
     .help = "added to the root that an update is divided by"},
    {.flag = "momentum",
     .member = of<&Options::momentum>(),
     .key = "momentum",
     .deepSpeed = "optimizer.params.momentum",
     .traits = kSome,
     .help = "share of the last update in the next"},
    {.flag = "dampening",
     .member = of<&Options::dampening>(),
     .key = "dampening",
     .deepSpeed = "optimizer.params.dampening",
     .traits = kSome,
     .help = "share of a gradient that the momentum leaves out"},
    {.flag = "nesterov",
     .member = of<&Options::isNesterov>(),
     .key = "nesterov",
     .deepSpeed = "optimizer.params.nesterov",
     .traits = kSome,
     .help = "a gradient is moved on by the new momentum, as Nesterov's rule has it"},
    {.flag = "lr-decay",
     .member = of<&Options::lrDecay>(),
     .key = "lr_decay",
     .deepSpeed = "optimizer.params.lr_decay",
     .traits = kSome,
     .help = "decay of the learning rate"},
    {.flag = "initial-accumulator",
     .member = of<&Options::initialAccumulator>(),
     .key = "initial_accumulator",
     .deepSpeed = "optimizer.params.initial_accumulator_value",
     .traits = kSome,
     .help = "what the sum of squares begins with"},
};

/// The rows with what they all share, and the names of optimizers as the words of the first.
std::vector<OptionRow> completed(llvm::ArrayRef<OptionWord> optimizers) {
  std::vector<OptionRow> rows(std::begin(kRows), std::end(kRows));
  rows[0].words = optimizers;
  for (OptionRow &row : rows) {
    row.changes = Changes::Graph;
    if (row.kind() != OptionKind::Real) continue;
    row.placeholder = "X";
    row.range = row.range.isMostExcluded ? row.range : kNotNegative;
  }
  return rows;
}

} // namespace

OptionSection optimizerOptions() {
  static const std::vector<OptionWord> words = optimizerWords();
  static const std::vector<OptionRow> rows = completed(words);
  return {"The optimizer", rows};
}

} // namespace autotp

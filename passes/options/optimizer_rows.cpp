#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"
#include "runtime/options/option_values.h"

#include "llvm/ADT/StringExtras.h"

#include <deque>

namespace autotp {
namespace {

OptionValue kindNumber(const CompileOptions &o) { return int64_t(o.step.optimizer.kind); }

/// Another optimizer brings its own defaults; the clipping is none of its, nor how the learning rate moves.
void setKind(CompileOptions &o, const OptionValue &value) {
  const auto kind = OptimizerKind(std::get<int64_t>(value));
  OptimizerOptions &optimizer = o.step.optimizer;
  if (kind == optimizer.kind) return;
  const OptimizerOptions before = optimizer;
  optimizer = defaultsOf(kind);
  optimizer.clipGradNorm = before.clipGradNorm;
  const double peak = optimizer.lr.peak;
  optimizer.lr = before.lr;
  optimizer.lr.peak = peak;
}

OptionValue scheduleNumber(const CompileOptions &o) { return int64_t(o.step.optimizer.lr.kind); }

/// A schedule that is named takes the place of the configuration's with all that belongs to it, but for the peak.
void setSchedule(CompileOptions &o, const OptionValue &value) {
  LrSchedule &lr = o.step.optimizer.lr;
  lr = {.kind = LrKind(std::get<int64_t>(value)), .peak = lr.peak};
}

std::vector<OptionWord> optimizerWords() {
  std::vector<OptionWord> words;
  for (OptimizerKind kind : allOptimizers())
    words.push_back({nameOf(kind), int64_t(kind), helpOf(kind)});
  return words;
}

constexpr auto kSchedules = wordsOfKinds(kLrKinds);
constexpr OptionWord kWarmupShapes[] = {{"linear", int64_t(WarmupShape::Linear), "by the number of steps"},
                                        {"log", int64_t(WarmupShape::Log), "by its logarithm"}};

constexpr OptionWord kDecayed[] = {{"matrices", 0, "parameters of rank 2 and more"}, {"all", 1, "all parameters"}};

/// A number or switch of OptimizerOptions.
template <auto kMember> constexpr OptionMember of() {
  return at<&CompileOptions::step, &StepOptions::optimizer, kMember>();
}

/// A number or switch of the schedule.
template <auto kMember> constexpr OptionMember ofRate() {
  return at<&CompileOptions::step, &StepOptions::optimizer, &OptimizerOptions::lr, kMember>();
}

constexpr uint8_t kEvery = kOfTrainingGraph; // every optimizer has it
/// Only those that name it in their row of passes/train/optimizer_options.cpp have it.
constexpr uint8_t kSome = kOfTrainingGraph | kOfOptimizer | kDefaultOfOptimizer;

using Options = OptimizerOptions;

constexpr CompileRow kRows[] = {
    {{.flag = "optimizer",
      .member = accessedBy<kindNumber, setKind>(OptionKind::Word),
      .help = "with torch's rules",
      .detail = "A model that brings its own training graph is updated as that says, and flags of the optimizer "
                "are errors then"},
     {.key = "optimizer", .deepSpeed = "optimizer.type", .traits = kEvery | kConverted}},
    {{.flag = "lr", .member = ofRate<&LrSchedule::peak>(), .help = "learning rate, the highest of a schedule"},
     {.field = &LrSchedule::peak,
      .deepSpeed = "optimizer.params.lr",
      .traits = kEvery | kOfRate | kDefaultOfOptimizer}},
    {{.flag = "lr-schedule",
      .member = accessedBy<scheduleNumber, setSchedule>(OptionKind::Word),
      .words = kSchedules,
      .help = "learning rate of each step, as transformers' schedules have it",
      .detail =
          "autotp-run may say another. A step that fp16 skips is none of the schedule. See `docs/guide/schedules.md`"},
     {.field = &LrSchedule::kind, .deepSpeed = "scheduler.type", .traits = kEvery | kOfRate | kConverted}},
    {{.flag = "warmup-steps",
      .placeholder = "N",
      .member = ofRate<&LrSchedule::warmupSteps>(),
      .range = {0, kMostSteps},
      .help = "steps in which the learning rate rises from 0, which is the first step's; with wsd from --min-lr"},
     {.field = &LrSchedule::warmupSteps,
      .deepSpeed = "scheduler.params.warmup_num_steps",
      .traits = kEvery | kOfRate | kConverted}},
    {{.flag = "min-lr",
      .member = ofRate<&LrSchedule::minimum>(),
      .help = "learning rate that a schedule falls to, and keeps beyond its end"},
     {.field = &LrSchedule::minimum,
      .deepSpeed = "scheduler.params.cos_min_ratio",
      .traits = kEvery | kOfRate | kConverted}},
    {{.flag = "decay-steps",
      .placeholder = "N",
      .member = ofRate<&LrSchedule::decaySteps>(),
      .range = {0, kMostSteps},
      .help = "steps of the whole schedule, warm-up included; with wsd those of the decay, which ends with the run",
      .defaultText = "the run's --steps; wsd needs it"},
     {.field = &LrSchedule::decaySteps,
      .deepSpeed = "scheduler.params.total_num_steps",
      .traits = kEvery | kOfRate | kConverted}},
    {{.member = ofRate<&LrSchedule::warmupFrom>(), .help = "what a warm-up begins with, in DeepSpeed"},
     {.field = &LrSchedule::warmupFrom,
      .deepSpeed = "scheduler.params.warmup_min_lr, scheduler.params.warmup_min_ratio",
      .traits = kEvery | kOfRate | kConverted}},
    {{.member = ofRate<&LrSchedule::warmupShape>(),
      .words = kWarmupShapes,
      .help = "how a warm-up rises, in DeepSpeed"},
     {.field = &LrSchedule::warmupShape,
      .deepSpeed = "scheduler.params.warmup_type",
      .traits = kEvery | kOfRate | kConverted}},
    {{.member = ofRate<&LrSchedule::isLate>(), .help = "a warm-up of DeepSpeed's begins a step later"},
     {.field = &LrSchedule::isLate, .traits = kEvery | kOfRate}},
    {{.member = ofRate<&LrSchedule::warmupStairs>(),
      .range = {0, kMostSteps},
      .help = "stairs of the warm-up of DeepSpeed's OneCycle, or none"},
     {.field = &LrSchedule::warmupStairs,
      .deepSpeed = "scheduler.params.cycle_first_stair_count",
      .traits = kEvery | kOfRate | kConverted}},
    {{.member = ofRate<&LrSchedule::decayStairs>(),
      .range = {0, kMostSteps},
      .help = "stairs of the decay of DeepSpeed's OneCycle, or none"},
     {.field = &LrSchedule::decayStairs,
      .deepSpeed = "scheduler.params.cycle_second_stair_count",
      .traits = kEvery | kOfRate | kConverted}},
    {{.member = ofRate<&LrSchedule::decayAfter>(),
      .help = "how the minimum of DeepSpeed's OneCycle falls on, in each step beyond its end"},
     {.field = &LrSchedule::decayAfter,
      .deepSpeed = "scheduler.params.decay_lr_rate",
      .traits = kEvery | kOfRate | kConverted}},
    {{.flag = "weight-decay",
      .member = of<&Options::weightDecay>(),
      .help = "weight decay; decoupled with adamw, else added to the gradient"},
     {.key = "weight_decay", .deepSpeed = "optimizer.params.weight_decay", .traits = kEvery | kDefaultOfOptimizer}},
    {{.flag = "decay",
      .member = wordAt<&CompileOptions::step, &StepOptions::optimizer, &Options::decaysAll>(),
      .words = kDecayed,
      .help = "what decays"},
     {.key = "decays_all", .recorded = of<&Options::decaysAll>(), .traits = kEvery}},
    {{.flag = "clip-grad-norm",
      .member = of<&Options::clipGradNorm>(),
      .help = "clip the global gradient norm",
      .defaultText = "no clipping"},
     {.key = "clip_grad_norm", .deepSpeed = "gradient_clipping", .traits = kEvery}},
    {{.flag = "beta1", .member = of<&Options::beta1>(), .range = kBelowOne, .help = "decay of the mean of gradients"},
     {.key = "beta1", .deepSpeed = "optimizer.params.betas", .traits = kSome | kConverted}},
    {{.flag = "beta2",
      .member = of<&Options::beta2>(),
      .range = kBelowOne,
      .help = "decay of the mean of their squares"},
     {.key = "beta2", .deepSpeed = "optimizer.params.betas", .traits = kSome | kConverted}},
    {{.flag = "eps", .member = of<&Options::epsilon>(), .help = "added to the root that an update is divided by"},
     {.key = "eps", .deepSpeed = "optimizer.params.eps", .traits = kSome}},
    {{.flag = "momentum", .member = of<&Options::momentum>(), .help = "share of the last update in the next"},
     {.key = "momentum", .deepSpeed = "optimizer.params.momentum", .traits = kSome}},
    {{.flag = "dampening",
      .member = of<&Options::dampening>(),
      .help = "share of a gradient that the momentum leaves out"},
     {.key = "dampening", .deepSpeed = "optimizer.params.dampening", .traits = kSome}},
    {{.flag = "nesterov",
      .member = of<&Options::isNesterov>(),
      .help = "a gradient is moved on by the new momentum, as Nesterov's rule has it"},
     {.key = "nesterov", .deepSpeed = "optimizer.params.nesterov", .traits = kSome}},
    {{.flag = "lr-decay", .member = of<&Options::lrDecay>(), .help = "decay of the learning rate"},
     {.key = "lr_decay", .deepSpeed = "optimizer.params.lr_decay", .traits = kSome}},
    {{.flag = "initial-accumulator",
      .member = of<&Options::initialAccumulator>(),
      .help = "what the sum of squares begins with"},
     {.key = "initial_accumulator", .deepSpeed = "optimizer.params.initial_accumulator_value", .traits = kSome}},
};

/// Texts of rows that are made when the program starts. A deque leaves them where they are.
using Texts = std::deque<std::string>;

/// "adamw, adam": the optimizers that have the option.
std::string optimizersOf(const CompileRow &row) {
  std::vector<std::string> names;
  for (OptimizerKind kind : allOptimizers())
    if (hasOption(kind, row.flag)) names.push_back(nameOf(kind).str());
  return llvm::join(names, ", ");
}

/// "adamw, adam 1e-8; adagrad 1e-10": optimizers of one default stand together, in the order of their rows.
std::string defaultOfOptimizers(const CompileRow &row) {
  std::vector<std::pair<std::string, std::vector<std::string>>> defaults;
  for (OptimizerKind kind : allOptimizers()) {
    if (row.is(kOfOptimizer) && !hasOption(kind, row.flag)) continue;
    CompileOptions options;
    options.step.optimizer = defaultsOf(kind);
    const std::string text = numberText(std::get<double>(row.member.get(options)));
    auto at = llvm::find_if(defaults, [&](const auto &entry) { return entry.first == text; });
    if (at == defaults.end()) at = defaults.insert(at, {text, {}});
    at->second.push_back(nameOf(kind).str());
  }
  std::vector<std::string> texts;
  texts.reserve(defaults.size());
  for (const auto &[text, optimizers] : defaults)
    texts.push_back(llvm::join(optimizers, ", ") + " " + text);
  return llvm::join(texts, "; ");
}

/// The rows with what they all share, what optimizers say of them, and the names of optimizers as the words of the first.
std::vector<CompileRow> completed(llvm::ArrayRef<OptionWord> optimizers, Texts &texts) {
  std::vector<CompileRow> rows(std::begin(kRows), std::end(kRows));
  rows[0].words = optimizers;
  for (CompileRow &row : rows) {
    row.changes = Changes::Graph;
    if (row.is(kOfOptimizer)) row.only = texts.emplace_back(optimizersOf(row));
    if (row.kind() != OptionKind::Real) continue;
    if (!row.flag.empty()) row.placeholder = "X";
    row.range = row.range.isMostExcluded ? row.range : kNotNegative;
    if (row.is(kDefaultOfOptimizer)) row.defaultText = texts.emplace_back(defaultOfOptimizers(row));
  }
  return rows;
}

} // namespace

OptionSection optimizerOptions() {
  static const std::vector<OptionWord> words = optimizerWords();
  static Texts texts;
  static const std::vector<CompileRow> rows = completed(words, texts);
  return {"The optimizer", rows};
}

} // namespace autotp

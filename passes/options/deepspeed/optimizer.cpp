#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/key_reader.h"
#include "passes/options/deepspeed/scheduler.h"
#include "passes/options/option_rows.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"

#include "llvm/ADT/StringExtras.h"

namespace autotp {
namespace {

using llvm::json::Value;

constexpr llvm::StringLiteral kType = "optimizer.type", kParams = "optimizer.params.";

/// "AdamW, Adam, SGD or Adagrad".
std::string configurableOptimizers() {
  std::vector<std::string> names;
  for (OptimizerKind kind : allOptimizers())
    if (!deepSpeedNameOf(kind).empty()) names.push_back(deepSpeedNameOf(kind).str());
  const std::string last = names.back();
  names.pop_back();
  return llvm::join(names, ", ") + " or " + last;
}

/// Reads the section "optimizer".
class OptimizerReader {
public:
  explicit OptimizerReader(KeyReader &reader) : r_(reader) {}

  void run() {
    kind_ = readType();
    if (!kind_) return;
    setDefaults();
    for (const CompileRow *row : optionRows())
      if (row->deepSpeed.startswith(kParams) && !row->is(kConverted) && has(*row)) takeOrTell(*row);
    if (has(optionNamed("beta1"))) readBetas();
    if (r_.o.step.optimizer.weightDecay != 0 && !r_.isFlagged("decay"))
      r_.tell("weight decay: of parameters of rank 2 and more, as --decay says; DeepSpeed leaves it to the script's "
              "groups");
  }

private:
  /// Its SGD is momentum where it has one.
  bool has(const CompileRow &row) const {
    return !row.is(kOfOptimizer) ||
           hasOption(*kind_ == OptimizerKind::Sgd ? OptimizerKind::Momentum : *kind_, row.flag);
  }

  std::optional<OptimizerKind> readType() {
    const Value *type = r_.keys.take(kType);
    if (!type && r_.keys.isAuto(kType)) {
      if (!r_.isFlagged("optimizer")) {
        r_.tellHugging(kType, "AdamW");
        return OptimizerKind::AdamW;
      }
      r_.tellAuto(kType, "what --optimizer says");
      return r_.o.step.optimizer.kind;
    }
    const llvm::StringRef name = type ? type->getAsString().getValueOr("") : "";
    std::optional<OptimizerKind> kind = optimizerNamed(name.lower());
    if (kind && !deepSpeedNameOf(*kind).empty()) return withDecayOf(*kind);
    r_.keys.wrong(kType,
                  "is not " + configurableOptimizers() +
                      (name.empty() ? ", it is missing" : ", but '" + escaped(name) + "'"),
                  "name one of these, with params of its own");
    r_.keys.takeAll(kParams);
    return std::nullopt;
  }

  /// Of Adam: what DeepSpeed does unless it is told otherwise. Its AdamW does not read the key.
  OptimizerKind withDecayOf(OptimizerKind kind) {
    constexpr llvm::StringLiteral kMode = "optimizer.params.adam_w_mode";
    if (kind == OptimizerKind::Adam) return r_.isTrue(kMode, true) ? OptimizerKind::AdamW : kind;
    if (kind == OptimizerKind::AdamW && !r_.isTrue(kMode, true))
      r_.tell("adam_w_mode: AdamW does not read it, in DeepSpeed neither");
    return kind;
  }

  /// DeepSpeed's, where this project's AdamW has others.
  void setDefaults() {
    OptimizerKind kind = *kind_;
    const Value *momentum = r_.keys.find("optimizer.params.momentum");
    if (kind == OptimizerKind::Sgd && momentum && momentum->getAsNumber().getValueOr(0) > 0)
      kind = OptimizerKind::Momentum;
    OptimizerOptions &options = r_.o.step.optimizer;
    const double clipGradNorm = options.clipGradNorm, peak = options.lr.peak;
    options = defaultsOf(*kind_);
    options.kind = kind;
    options.beta2 = 0.999;
    options.weightDecay = 0;
    options.clipGradNorm = clipGradNorm;
    if (r_.isFlagged("lr")) options.lr.peak = peak;
    r_.note(optionNamed("optimizer"), "optimizer");
  }

  void takeOrTell(const CompileRow &row) {
    r_.take(row, row.deepSpeed);
    const bool isOfMomentum = row.is(kOfOptimizer) && !hasOption(r_.o.step.optimizer.kind, row.flag);
    if (!r_.keys.isGiven(row.deepSpeed) && !r_.isFlagged(row.flag) && !isOfMomentum)
      r_.tellDefault(row.deepSpeed, valueText(row, row.member.get(r_.o)));
  }

  void readBetas() {
    constexpr llvm::StringLiteral kKey = "optimizer.params.betas";
    const CompileRow &first = optionNamed("beta1"), &second = optionNamed("beta2");
    if (!r_.keys.isGiven(kKey)) return r_.tellDefault(kKey, "[0.9,0.999]");
    const Value *betas = r_.decide(kKey);
    if (!betas) return;
    const llvm::json::Array *two = betas->getAsArray();
    if (!two || two->size() != 2 || !(*two)[0].getAsNumber() || !(*two)[1].getAsNumber())
      return r_.keys.wrong(kKey, "is no pair of numbers", "write them as [0.9, 0.999]");
    const ReadValue beta1 = valueOfJson(first, (*two)[0]), beta2 = valueOfJson(second, (*two)[1]);
    if (!beta1.fault.empty() || !beta2.fault.empty())
      return r_.keys.wrong(kKey, "are not in [0, 1)", "write them as [0.9, 0.999]");
    r_.say(first, kKey, beta1.value);
    r_.say(second, kKey, beta2.value);
  }

  KeyReader &r_;
  std::optional<OptimizerKind> kind_;
};

/// What of this program's own optimizer decides, where the file has none.
void tellOwnOptimizer(KeyReader &r) {
  std::vector<std::string> numbers;
  for (const CompileRow *row : optionRows()) {
    const bool isOfUpdate = row->deepSpeed.startswith("optimizer.params.") && row->kind() == OptionKind::Real;
    if (isOfUpdate && (!row->is(kOfOptimizer) || hasOption(r.o.step.optimizer.kind, row->flag)))
      numbers.push_back((row->flag + " " + valueText(*row, row->member.get(r.o))).str());
  }
  r.tell(("no optimizer is in the file, so this program's: " + nameOf(r.o.step.optimizer.kind) + ", " +
          llvm::join(numbers, ", "))
             .str());
}

/// What the scheduler made of "auto", and of keys that are not there.
void tellSchedule(KeyReader &r) {
  const LrSchedule &lr = r.o.step.optimizer.lr;
  for (const CompileRow *row : optionRows()) {
    llvm::SmallVector<llvm::StringRef, 2> keys;
    row->deepSpeed.split(keys, ", ", -1, /*KeepEmpty=*/false);
    for (llvm::StringRef key : keys) {
      if (!key.startswith("scheduler.params.") || !r.keys.isAuto(key)) continue;
      if (r.isFlagged(row->flag))
        r.tellAuto(key, "what --" + row->flag + " says");
      else if (row->flag == "decay-steps" && lr.decaySteps == 0)
        r.tellAuto(key, "the number of the run's steps");
      else
        r.tellHugging(key, valueText(*row, row->member.get(r.o)));
    }
  }
  constexpr llvm::StringLiteral kSteps = "scheduler.params.warmup_num_steps", kPeak = "scheduler.params.warmup_max_lr";
  if (r.keys.isAuto(kPeak)) r.tellAuto(kPeak, "the optimizer's, " + numberText(lr.peak));
  const bool isOneCycle = r.keys.isGiven("scheduler.params.cycle_max_lr");
  if (!r.keys.isGiven(kSteps) && !isOneCycle && !r.isFlagged("warmup-steps"))
    r.tellDefault(kSteps, llvm::Twine(lr.warmupSteps));
}

} // namespace

void readOptimizer(KeyReader &reader) {
  if (reader.keys.has("optimizer"))
    OptimizerReader(reader).run();
  else if (!reader.isFlagged("optimizer"))
    tellOwnOptimizer(reader);
  reader.take(optionNamed("clip-grad-norm"), "gradient_clipping");
  if (!reader.keys.has("scheduler")) return;
  OptimizerOptions &optimizer = reader.o.step.optimizer;
  optimizer.lr = readScheduler(reader.keys, {optimizer.lr.peak, hasOption(optimizer.kind, "beta1")});
  reader.note(optionNamed("lr-schedule"), "scheduler");
  tellSchedule(reader);
}

} // namespace autotp

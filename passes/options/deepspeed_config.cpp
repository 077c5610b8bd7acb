#include "passes/options/deepspeed_config.h"

#include "compiler/ir/tensor.h"
#include "passes/options/compile_row.h"
#include "passes/options/deepspeed_keys.h"
#include "passes/options/deepspeed_scheduler.h"
#include "passes/options/option_files.h"
#include "passes/options/option_rows.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

namespace autotp {
namespace {

using llvm::json::Value;

constexpr double kMost = 1e9; // of any number

/// "AdamW, Adam, SGD or Adagrad".
std::string configurableOptimizers() {
  std::vector<std::string> names;
  for (OptimizerKind kind : allOptimizers())
    if (!deepSpeedNameOf(kind).empty()) names.push_back(deepSpeedNameOf(kind).str());
  const std::string last = names.back();
  names.pop_back();
  return llvm::join(names, ", ") + " or " + last;
}

/// Reads one configuration into options, key by key.
class Reader {
public:
  Reader(DeepSpeedKeys keys, CompileOptions &options) : keys_(std::move(keys)), o_(options) {}

  llvm::Error run() {
    readOptimizer();
    for (const CompileRow *row : optionRows())
      if (isPlain(*row)) take(*row, row->deepSpeed);
    readBetas();
    readRates();
    readBucket();
    readPrecision();
    readPartitionConfig();
    readBatch();
    for (llvm::StringRef inherent : {"zero_optimization.overlap_comm", "zero_optimization.reduce_scatter",
                                     "zero_optimization.contiguous_gradients", "tensor_parallel.preset_model",
                                     "steps_per_print", "wall_clock_breakdown"})
      keys_.take(inherent); // how it works here anyway, or what autotp-run prints
    return keys_.takeErrors();
  }

private:
  /// Whether its key says the row's own value.
  bool isPlain(const CompileRow &row) const {
    return !row.deepSpeed.empty() && !row.is(kConverted) && (!row.is(kOfOptimizer) || hasParameter(row.flag));
  }

  /// Of the configuration's optimizer. Its SGD is momentum where it has one.
  bool hasParameter(llvm::StringRef flag) const {
    return optimizer_ && hasOption(*optimizer_ == OptimizerKind::Sgd ? OptimizerKind::Momentum : *optimizer_, flag);
  }

  /// That the configuration has set the option.
  void note(const CompileRow &row, llvm::StringRef key) {
    const llvm::StringRef section = key.split('.').first; // which is what a user looks for
    o_.said.push_back({&row, SaidBy::DeepSpeedConfig, ("'" + section + "' of --ds-config").str(), row.member.get(o_)});
  }

  void say(const CompileRow &row, llvm::StringRef key, const OptionValue &value) {
    row.member.set(o_, value);
    note(row, key);
  }

  /// What the key says, if it is there and the row may have it.
  std::optional<OptionValue> valueOf(const CompileRow &row, llvm::StringRef key) {
    const Value *json = keys_.take(key);
    if (!json) return std::nullopt;
    const ReadValue read = valueOfJson(row, *json);
    const bool isNumber = row.kind() == OptionKind::Integer || row.kind() == OptionKind::Real;
    if (read.fault.empty() && (!isNumber || *json->getAsNumber() <= kMost)) return read.value;
    keys_.wrong(key, isNumber ? "is out of range, or no number" : read.fault);
    return std::nullopt;
  }

  void take(const CompileRow &row, llvm::StringRef key) {
    if (std::optional<OptionValue> value = valueOf(row, key)) say(row, key, *value);
  }

  /// A number that no row stands for.
  std::optional<int64_t> number(llvm::StringRef key, int64_t least, int64_t most = int64_t(kMost)) {
    const Value *json = keys_.take(key);
    if (!json) return std::nullopt;
    if (auto number = json->getAsInteger(); number && *number >= least && *number <= most) return *number;
    keys_.wrong(key, "is out of range, or no number");
    return std::nullopt;
  }

  bool flag(llvm::StringRef key, bool otherwise) {
    const Value *json = keys_.take(key);
    if (!json) return otherwise;
    if (!json->getAsBoolean()) keys_.wrong(key, "is neither true nor false");
    return json->getAsBoolean().getValueOr(otherwise);
  }

  void readOptimizer() {
    if (!keys_.has("optimizer")) return;
    const Value *type = keys_.take("optimizer.type");
    const llvm::StringRef name = type ? type->getAsString().getValueOr("") : "";
    optimizer_ = optimizerNamed(name.lower());
    if (!optimizer_ || deepSpeedNameOf(*optimizer_).empty()) {
      keys_.wrong("optimizer.type", "is not " + configurableOptimizers());
      keys_.takeAll("optimizer.params.");
      optimizer_ = std::nullopt;
      return;
    }
    if (hasOption(*optimizer_, "beta1"))
      keys_.take("optimizer.params.torch_adam"); // another implementation of the rule
    // Of Adam: what DeepSpeed does unless it is told otherwise.
    if (name == "Adam" && flag("optimizer.params.adam_w_mode", true)) optimizer_ = OptimizerKind::AdamW;
    OptimizerKind kind = *optimizer_;
    const Value *momentum = keys_.find("optimizer.params.momentum");
    if (kind == OptimizerKind::Sgd && momentum && momentum->getAsNumber().getValueOr(0) > 0)
      kind = OptimizerKind::Momentum;
    OptimizerOptions &options = o_.step.optimizer;
    const double clipGradNorm = options.clipGradNorm;
    options = defaultsOf(*optimizer_);
    options.kind = kind;
    options.beta2 = 0.999; // DeepSpeed's defaults, where this project's AdamW has others
    options.weightDecay = 0;
    options.clipGradNorm = clipGradNorm;
    note(optionNamed("optimizer"), "optimizer");
  }

  void readBetas() {
    constexpr llvm::StringLiteral kKey = "optimizer.params.betas";
    const Value *betas = hasParameter("beta1") ? keys_.take(kKey) : nullptr;
    if (!betas) return;
    const llvm::json::Array *two = betas->getAsArray();
    if (!two || two->size() != 2 || !(*two)[0].getAsNumber() || !(*two)[1].getAsNumber())
      return keys_.wrong(kKey, "is no pair of numbers");
    const CompileRow &first = optionNamed("beta1"), &second = optionNamed("beta2");
    const ReadValue beta1 = valueOfJson(first, (*two)[0]), beta2 = valueOfJson(second, (*two)[1]);
    if (!beta1.fault.empty() || !beta2.fault.empty()) return keys_.wrong(kKey, "are not in [0, 1)");
    say(first, kKey, beta1.value);
    say(second, kKey, beta2.value);
  }

  /// A --lr on the command line is the optimizer's rate, of which a scheduler may take shares.
  void readRates() {
    if (!keys_.has("scheduler")) return;
    OptimizerOptions &optimizer = o_.step.optimizer;
    SchedulerContext context{optimizer.lr.peak, hasOption(optimizer.kind, "beta1")};
    for (const SaidOption &said : o_.said)
      if (said.by == SaidBy::CommandLine && said.option->flag == "lr") context.lr = std::get<double>(said.value);
    optimizer.lr = readScheduler(keys_, context);
    note(optionNamed("lr-schedule"), "scheduler");
  }

  void readBucket() {
    constexpr llvm::StringLiteral kKey = "zero_optimization.reduce_bucket_size"; // in elements of f32
    const std::optional<int64_t> elements = number(kKey, 1);
    if (!elements) return;
    o_.step.bucketBytes = *elements * int64_t(sizeof(float));
    note(optionNamed("bucket-mb"), kKey);
  }

  /// The dtype that is switched on, and how the loss scale of fp16 begins. How it moves is fixed here.
  void readPrecision() {
    const bool isBF16 = flag("bf16.enabled", false), isF16 = flag("fp16.enabled", false);
    const CompileRow &dtype = optionNamed("dtype");
    if (isBF16) say(dtype, "bf16", int64_t(DType::BF16));
    if (isF16 && isBF16)
      keys_.wrong("fp16.enabled", "is true, and bf16 is switched on as well");
    else if (isF16)
      say(dtype, "fp16", int64_t(DType::F16));
    if (std::optional<int64_t> power = number("fp16.initial_scale_power", 0, 100))
      say(optionNamed("loss_scale"), "fp16", std::ldexp(1.0, int(*power)));
    const std::optional<int64_t> fixed = number("fp16.loss_scale", 0), least = number("fp16.min_loss_scale", 0),
                                 hysteresis = number("fp16.hysteresis", 1);
    if (isF16 && fixed.value_or(0) != 0) keys_.wrong("fp16.loss_scale", "is not 0: the scale is dynamic here");
    if (isF16 && least.value_or(1) != 1) keys_.wrong("fp16.min_loss_scale", "is not 1, the only one here");
    if (isF16 && hysteresis.value_or(1) != 1)
      keys_.wrong("fp16.hysteresis", "is not 1: each overflow halves the scale here");
  }

  void readPartitionConfig() {
    const Value *config = keys_.take("tensor_parallel.partition_config");
    if (!config) return;
    auto rules = readPartitionRules(*config);
    if (!rules) return keys_.wrong(rules.takeError());
    o_.rules = std::move(*rules);
  }

  /// train_batch_size = micro batch * accumulation * dp: what is missing follows from the others. Alone it is one
  /// micro-batch a dp rank, as in DeepSpeed's own _set_batch_related_parameters.
  void readBatch() {
    const std::optional<int64_t> global = number("train_batch_size", 1);
    const bool hasMicro = keys_.find("train_micro_batch_size_per_gpu"),
               hasAccumulation = keys_.find("gradient_accumulation_steps");
    int64_t &micro = o_.import.microBatch;
    if (hasMicro && micro == 0) keys_.wrong("train_micro_batch_size_per_gpu", "is out of range, or no number");
    if (!global || keys_.isWrong()) return;
    const int64_t dp = o_.step.dp;
    if (!hasMicro && !hasAccumulation && !micro && o_.step.gradAccum == 1 && *global % dp == 0) micro = *global / dp;
    const int64_t each = std::max<int64_t>(micro, 1) * dp;
    if (!hasAccumulation && *global % each == 0) o_.step.gradAccum = int(*global / each);
    if (!hasMicro && hasAccumulation && *global % (dp * o_.step.gradAccum) == 0)
      micro = *global / (dp * o_.step.gradAccum);
    const int64_t samples = std::max<int64_t>(micro, 1);
    if (samples * dp * o_.step.gradAccum != *global)
      keys_.wrong(
          "train_batch_size",
          llvm::formatv("is {0}, but the micro batch of {1} x {2} accumulation steps x dp {3} is another number; "
                        "--dp, or data_parallel_size, gives dp",
                        *global, samples, o_.step.gradAccum, dp)
              .str());
  }

  DeepSpeedKeys keys_;
  CompileOptions &o_;
  std::optional<OptimizerKind> optimizer_;
};

} // namespace

llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options) {
  auto json = readJson(path);
  if (!json) return json.takeError();
  if (!json->getAsObject()) return problem(path, "it is no JSON object");
  return Reader(DeepSpeedKeys(*json->getAsObject()), options).run();
}

} // namespace autotp

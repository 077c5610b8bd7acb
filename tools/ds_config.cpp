#include "tools/ds_config.h"

#include "runtime/base/error.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

namespace autotp {
namespace {

using llvm::json::Object;
using llvm::json::Value;

llvm::Expected<Value> readJson(llvm::StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file) return problem(path, "it cannot be read: " + file.getError().message());
  auto value = llvm::json::parse((*file)->getBuffer());
  if (!value) return problem(path, "it is no JSON: " + llvm::toString(value.takeError()));
  return value;
}

/// One object of the configuration, key by key: what nobody asked for is refused at the end.
class Keys {
public:
  Keys(const Object &object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

  const Value *take(llvm::StringRef key) {
    taken_.push_back(key);
    const Value *value = object_.get(key);
    return value && value->getAsString() == llvm::StringRef("auto") ? nullptr : value; // Hugging Face's placeholder
  }
  llvm::Error wrong(llvm::StringRef key, const llvm::Twine &what) const {
    return problem("--ds-config", ("'" + prefix_ + key + "' " + what).str());
  }
  /// A number that is there and within [least, most] is stored.
  template <typename T> llvm::Error number(llvm::StringRef key, T &to, double least, double most) {
    const Value *value = take(key);
    if (!value) return llvm::Error::success();
    auto number = value->getAsNumber();
    if (!number || *number < least || *number > most || (std::is_integral_v<T> && *number != double(int64_t(*number))))
      return wrong(key, "is out of range, or no number");
    to = T(*number);
    return llvm::Error::success();
  }
  llvm::Error onlyKnown() const {
    for (const auto &entry : object_)
      if (!llvm::is_contained(taken_, llvm::StringRef(entry.first)))
        return problem("--ds-config", "'" + prefix_ + llvm::StringRef(entry.first).str() + "' is not honoured",
                       "remove it from the file, or use the flag for it, see --help");
    return llvm::Error::success();
  }

private:
  const Object &object_;
  std::string prefix_;
  std::vector<llvm::StringRef> taken_;
};

constexpr double kMost = 1e9;

/// "bf16" or "fp16": the dtype, where it is switched on. Of fp16 how its loss scale begins and grows as well.
llvm::Error readPrecision(const Value *value, llvm::StringRef key, DType dtype, CompileOptions &o) {
  if (!value) return llvm::Error::success();
  if (!value->getAsObject()) return problem("--ds-config", ("'" + key + "' is no object").str());
  Keys keys(*value->getAsObject(), (key + ".").str());
  const Value *enabled = keys.take("enabled");
  if (enabled && !enabled->getAsBoolean()) return keys.wrong("enabled", "is neither true nor false");
  const bool isOn = enabled && *enabled->getAsBoolean();
  if (isOn && o.dtype && *o.dtype != dtype) return keys.wrong("enabled", "is true, and bf16 is switched on as well");
  if (isOn) o.dtype = dtype;
  if (dtype == DType::F16) {
    int64_t power = -1, fixed = 0, least = 1, hysteresis = 1;
    if (llvm::Error error = keys.number("initial_scale_power", power, 0, 100)) return error;
    if (llvm::Error error = keys.number("loss_scale_window", o.step.lossScale.window, 1, kMost)) return error;
    if (llvm::Error error = keys.number("loss_scale", fixed, 0, kMost)) return error;
    if (llvm::Error error = keys.number("min_loss_scale", least, 0, kMost)) return error;
    if (llvm::Error error = keys.number("hysteresis", hysteresis, 1, kMost)) return error;
    if (isOn && fixed != 0) return keys.wrong("loss_scale", "is not 0: the scale is dynamic here");
    if (isOn && least != 1) return keys.wrong("min_loss_scale", "is not 1, the only one here");
    if (isOn && hysteresis != 1) return keys.wrong("hysteresis", "is not 1: each overflow halves the scale here");
    if (power >= 0) o.step.lossScale.initial = std::ldexp(1.0, int(power));
  }
  return keys.onlyKnown();
}

llvm::Error readZero(const Value *value, CompileOptions &o) {
  if (!value) return llvm::Error::success();
  if (!value->getAsObject()) return problem("--ds-config", "'zero_optimization' is no object");
  Keys keys(*value->getAsObject(), "zero_optimization.");
  int64_t elements = 0;
  if (llvm::Error error = keys.number("stage", o.step.zero, 0, 3)) return error;
  if (llvm::Error error = keys.number("reduce_bucket_size", elements, 1, kMost)) return error;
  if (elements) o.step.bucketBytes = elements * 4;
  for (llvm::StringRef inherent : {"overlap_comm", "reduce_scatter", "contiguous_gradients"})
    keys.take(inherent); // how it works here anyway
  return keys.onlyKnown();
}

llvm::Error readTensorParallel(const Value *value, CompileOptions &o) {
  if (!value) return llvm::Error::success();
  if (!value->getAsObject()) return problem("--ds-config", "'tensor_parallel' is no object");
  Keys keys(*value->getAsObject(), "tensor_parallel.");
  if (llvm::Error error = keys.number("autotp_size", o.step.tp, 1, 4096)) return error;
  keys.take("preset_model"); // the axes of every family are found from the graph
  if (const Value *config = keys.take("partition_config")) {
    auto rules = readPartitionRules(*config);
    if (!rules) return rules.takeError();
    o.rules = std::move(*rules);
  }
  return keys.onlyKnown();
}

llvm::Error readFlag(Keys &keys, llvm::StringRef key, bool &to) {
  const Value *value = keys.take(key);
  if (!value) return llvm::Error::success();
  if (!value->getAsBoolean()) return keys.wrong(key, "is neither true nor false");
  to = *value->getAsBoolean();
  return llvm::Error::success();
}

llvm::Error readBetas(Keys &params, OptimizerOptions &o) {
  const Value *betas = params.take("betas");
  if (!betas) return llvm::Error::success();
  const llvm::json::Array *two = betas->getAsArray();
  if (!two || two->size() != 2 || !(*two)[0].getAsNumber() || !(*two)[1].getAsNumber())
    return params.wrong("betas", "is no pair of numbers");
  o.beta1 = *(*two)[0].getAsNumber();
  o.beta2 = *(*two)[1].getAsNumber();
  if (o.beta1 < 0 || o.beta1 >= 1 || o.beta2 < 0 || o.beta2 >= 1) return params.wrong("betas", "are not in [0, 1)");
  return llvm::Error::success();
}

/// The keys of one optimizer, beside lr and weight_decay.
llvm::Error readParams(Keys &params, OptimizerOptions &o) {
  switch (o.kind) {
  case OptimizerKind::AdamW:
  case OptimizerKind::Adam:
    params.take("torch_adam"); // another implementation of the same rule
    if (llvm::Error error = readBetas(params, o)) return error;
    return params.number("eps", o.epsilon, 0, 1);
  case OptimizerKind::Sgd:
  case OptimizerKind::Momentum:
    if (llvm::Error error = params.number("momentum", o.momentum, 0, kMost)) return error;
    if (llvm::Error error = params.number("dampening", o.dampening, 0, kMost)) return error;
    if (llvm::Error error = readFlag(params, "nesterov", o.isNesterov)) return error;
    o.kind = o.momentum > 0 ? OptimizerKind::Momentum : OptimizerKind::Sgd;
    return llvm::Error::success();
  case OptimizerKind::Adagrad:
    if (llvm::Error error = params.number("eps", o.epsilon, 0, 1)) return error;
    if (llvm::Error error = params.number("lr_decay", o.lrDecay, 0, kMost)) return error;
    return params.number("initial_accumulator_value", o.initialAccumulator, 0, kMost);
  }
  return llvm::Error::success();
}

llvm::Error readOptimizer(const Value *value, CompileOptions &options) {
  if (!value) return llvm::Error::success();
  if (!value->getAsObject()) return problem("--ds-config", "'optimizer' is no object");
  Keys keys(*value->getAsObject(), "optimizer.");
  const Value *type = keys.take("type");
  const llvm::StringRef name = type ? type->getAsString().getValueOr("") : "";
  const bool isAdam = name == "Adam";
  const std::optional<OptimizerKind> kind = optimizerNamed(name.lower());
  if (!kind || *kind == OptimizerKind::Momentum) // which is SGD with a momentum there
    return keys.wrong("type", "is not AdamW, Adam, SGD or Adagrad");
  OptimizerOptions &o = options.step.optimizer;
  o = defaultsOf(*kind);
  o.beta2 = 0.999;
  o.weightDecay = 0;
  options.optimizerSaidBy.push_back(kConfiguredOptimizer);
  const Value *given = keys.take("params");
  static const Object kNone;
  if (given && !given->getAsObject()) return keys.wrong("params", "is no object");
  Keys params(given ? *given->getAsObject() : kNone, "optimizer.params.");
  bool decouples = true; // of Adam: what DeepSpeed does unless it is told otherwise
  if (isAdam)
    if (llvm::Error error = readFlag(params, "adam_w_mode", decouples)) return error;
  if (isAdam && decouples) o.kind = OptimizerKind::AdamW;
  if (llvm::Error error = params.number("lr", o.lr, 0, kMost)) return error;
  if (llvm::Error error = params.number("weight_decay", o.weightDecay, 0, kMost)) return error;
  if (llvm::Error error = readParams(params, o)) return error;
  if (llvm::Error error = params.onlyKnown()) return error;
  return keys.onlyKnown();
}

/// train_batch_size = micro batch * accumulation * dp: what is missing follows from the others. Alone it is one micro-batch
/// a dp rank, as in DeepSpeed's own _set_batch_related_parameters.
llvm::Error readBatch(Keys &keys, CompileOptions &o) {
  int64_t global = 0, micro = 0, accumulation = 0, dp = 0;
  if (llvm::Error error = keys.number("train_batch_size", global, 1, kMost)) return error;
  if (llvm::Error error = keys.number("train_micro_batch_size_per_gpu", micro, 1, kMost)) return error;
  if (llvm::Error error = keys.number("gradient_accumulation_steps", accumulation, 1, kMost)) return error;
  if (llvm::Error error = keys.number("data_parallel_size", dp, 1, 4096)) return error;
  if (dp) o.step.dp = int(dp);
  if (micro) o.import.microBatch = micro;
  if (accumulation) o.step.gradAccum = int(accumulation);
  if (!global) return llvm::Error::success();
  if (!micro && !accumulation && !o.import.microBatch && o.step.gradAccum == 1 && global % o.step.dp == 0)
    o.import.microBatch = global / o.step.dp;
  int64_t each = std::max<int64_t>(o.import.microBatch, 1) * o.step.dp;
  if (!accumulation && global % each == 0) o.step.gradAccum = int(global / each);
  if (!micro && accumulation && global % (o.step.dp * accumulation) == 0)
    o.import.microBatch = global / (o.step.dp * accumulation);
  if (std::max<int64_t>(o.import.microBatch, 1) * o.step.dp * o.step.gradAccum != global)
    return keys.wrong("train_batch_size", "is " + llvm::Twine(global) + ", but the micro batch of " +
                                              llvm::Twine(std::max<int64_t>(o.import.microBatch, 1)) + " x " +
                                              llvm::Twine(o.step.gradAccum) + " accumulation steps x dp " +
                                              llvm::Twine(o.step.dp) +
                                              " is another number; --dp, or data_parallel_size, gives dp");
  return llvm::Error::success();
}

} // namespace

llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options) {
  auto json = readJson(path);
  if (!json) return json.takeError();
  if (!json->getAsObject()) return problem(path, "it is no JSON object");
  Keys keys(*json->getAsObject(), "");
  if (llvm::Error error = readTensorParallel(keys.take("tensor_parallel"), options)) return error;
  if (llvm::Error error = readBatch(keys, options)) return error;
  if (llvm::Error error = readZero(keys.take("zero_optimization"), options)) return error;
  if (llvm::Error error = readOptimizer(keys.take("optimizer"), options)) return error;
  if (keys.take("gradient_clipping")) options.optimizerSaidBy.push_back("'gradient_clipping' of --ds-config");
  if (llvm::Error error = keys.number("gradient_clipping", options.step.optimizer.clipGradNorm, 0, kMost)) return error;
  if (llvm::Error error = readPrecision(keys.take("bf16"), "bf16", DType::BF16, options)) return error;
  if (llvm::Error error = readPrecision(keys.take("fp16"), "fp16", DType::F16, options)) return error;
  for (llvm::StringRef reporting : {"steps_per_print", "wall_clock_breakdown"})
    keys.take(reporting); // autotp-run prints every step
  return keys.onlyKnown();
}

llvm::Error readPatterns(llvm::StringRef path, CompileOptions &options) {
  auto json = readJson(path);
  if (!json) return json.takeError();
  auto rules = readPartitionRules(*json);
  if (!rules) return rules.takeError();
  options.rules = std::move(*rules);
  return llvm::Error::success();
}

} // namespace autotp

#include "tools/ds_config.h"

#include "runtime/base/error.h"

#include "llvm/Support/MemoryBuffer.h"

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

/// A part that may be there as long as it is switched off.
llvm::Error mustBeOff(Keys &keys, llvm::StringRef key, llvm::StringRef why) {
  const Value *value = keys.take(key);
  const Object *object = value ? value->getAsObject() : nullptr;
  bool isOn = object ? object->getBoolean("enabled").getValueOr(true) : value && value->getAsBoolean().getValueOr(true);
  return isOn ? keys.wrong(key, why) : llvm::Error::success();
}

llvm::Error readZero(const Value *value, CompileOptions &o) {
  if (!value) return llvm::Error::success();
  if (!value->getAsObject()) return problem("--ds-config", "'zero_optimization' is no object");
  Keys keys(*value->getAsObject(), "zero_optimization.");
  int64_t elements = 0;
  if (llvm::Error error = keys.number("stage", o.step.zero, 0, 2)) return error;
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

llvm::Error readOptimizer(const Value *value, OptimizerOptions &o) {
  if (!value) return llvm::Error::success();
  if (!value->getAsObject()) return problem("--ds-config", "'optimizer' is no object");
  Keys keys(*value->getAsObject(), "optimizer.");
  const Value *type = keys.take("type");
  if (!type || type->getAsString() != llvm::StringRef("AdamW"))
    return keys.wrong("type", "is not AdamW, the only optimizer so far");
  if (const Value *given = keys.take("params")) {
    if (!given->getAsObject()) return keys.wrong("params", "is no object");
    Keys params(*given->getAsObject(), "optimizer.params.");
    if (llvm::Error error = params.number("lr", o.lr, 0, kMost)) return error;
    if (llvm::Error error = params.number("eps", o.epsilon, 0, 1)) return error;
    if (llvm::Error error = params.number("weight_decay", o.weightDecay, 0, 1)) return error;
    if (const Value *betas = params.take("betas")) {
      const llvm::json::Array *two = betas->getAsArray();
      if (!two || two->size() != 2 || !(*two)[0].getAsNumber() || !(*two)[1].getAsNumber())
        return params.wrong("betas", "is no pair of numbers");
      o.beta1 = *(*two)[0].getAsNumber();
      o.beta2 = *(*two)[1].getAsNumber();
      if (o.beta1 < 0 || o.beta1 >= 1 || o.beta2 < 0 || o.beta2 >= 1) return params.wrong("betas", "are not in [0, 1)");
    }
    if (llvm::Error error = params.onlyKnown()) return error;
  }
  return keys.onlyKnown();
}

/// train_batch_size = micro batch * accumulation * dp: what is missing follows from the others.
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
  if (llvm::Error error = readOptimizer(keys.take("optimizer"), options.step.optimizer)) return error;
  if (llvm::Error error = keys.number("gradient_clipping", options.step.optimizer.clipGradNorm, 0, kMost)) return error;
  for (llvm::StringRef precision : {"bf16", "fp16"})
    if (llvm::Error error = mustBeOff(keys, precision, "is switched on, but plans are fp32 so far")) return error;
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

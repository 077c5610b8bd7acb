#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/key_reader.h"
#include "passes/options/option_rows.h"

#include <cmath>

namespace autotp {
namespace {

using llvm::json::Value;

constexpr int64_t kNever = 1000000000; // steps

/// The dtype that is switched on; a flag overrules it. Whether it is f16.
bool readDType(KeyReader &r) {
  const CompileRow &dtype = optionNamed("dtype");
  const llvm::StringRef bf16 = r.keys.has("bfloat16") && !r.keys.has("bf16") ? "bfloat16.enabled" : "bf16.enabled";
  const bool isBF16 = r.isTrue(bf16, false, dtype.flag), isF16 = r.isTrue("fp16.enabled", false, dtype.flag);
  if (!isBF16 && !isF16 && !r.isFlagged(dtype.flag))
    r.tell("the dtype is the model's own, since neither bf16 nor fp16 is switched on");
  if (isBF16) r.say(dtype, bf16, int64_t(DType::BF16));
  if (isF16 && isBF16)
    r.keys.wrong("fp16.enabled", "is true, and bf16 is switched on as well", "switch one of them off");
  else if (isF16)
    r.say(dtype, "fp16.enabled", int64_t(DType::F16));
  return r.o.dtype == DType::F16;
}

/// A loss scale that stays: it falls to itself, and no run is long enough for a doubling.
void readFixedScale(KeyReader &r, double scale) {
  r.say(optionNamed("loss-scale"), "fp16.loss_scale", scale);
  r.say(optionNamed("min-loss-scale"), "fp16.loss_scale", scale);
  r.say(optionNamed("loss-scale-window"), "fp16.loss_scale", kNever);
  for (llvm::StringRef unused : {"fp16.initial_scale_power", "fp16.loss_scale_window", "fp16.hysteresis",
                                 "fp16.consecutive_hysteresis", "fp16.min_loss_scale"})
    r.keys.take(unused);
}

void readMovingScale(KeyReader &r) {
  if (std::optional<int64_t> power = r.number("fp16.initial_scale_power", 0, 100, "loss-scale"))
    r.say(optionNamed("loss-scale"), "fp16.initial_scale_power", std::ldexp(1.0, int(*power)));
  for (auto [flag, key] : {std::pair("loss-scale-window", "fp16.loss_scale_window"),
                           {"loss-scale-hysteresis", "fp16.hysteresis"},
                           {"loss_scale_refills", "fp16.consecutive_hysteresis"},
                           {"min-loss-scale", "fp16.min_loss_scale"}})
    r.take(optionNamed(flag), key);
  optionNamed("loss_scale_is_late").member.set(r.o, true);
}

} // namespace

/// Where the file does not switch fp16 on, the scale's defaults are set as well, since a model may be in f16 by itself,
/// and told only if a flag asks for it.
void readPrecision(KeyReader &reader) {
  const bool isF16 = readDType(reader);
  const Value *fixed = isF16 ? reader.decide("fp16.loss_scale") : reader.keys.take("fp16.loss_scale");
  const double scale = fixed ? fixed->getAsNumber().getValueOr(-1) : 0;
  if (scale != 0 && !(scale >= 1 && std::isfinite(scale)))
    return reader.keys.wrong("fp16.loss_scale", "is out of range, or no number",
                             "say 0 for a dynamic loss scale, or a number from 1 on");
  reader.isQuiet = !isF16;
  if (scale != 0)
    readFixedScale(reader, scale);
  else
    readMovingScale(reader);
  reader.isQuiet = false;
}

} // namespace autotp

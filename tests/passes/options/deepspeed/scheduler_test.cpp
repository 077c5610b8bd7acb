// DeepSpeed's schedulers out of its configuration, and their learning rates against those that DeepSpeed gave.
#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/config.h"
#include "passes/options/option_rows.h"
#include "passes/options/read_options.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"
#include "tests/runtime/temporary_file.h"

#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// What flags and a configuration say together; "" where all is right.
std::string read(const std::string &json, std::vector<GivenFlag> flags, CompileOptions &options) {
  test::TemporaryFolder folder;
  flags.push_back({&optionNamed("o"), "plan"});
  flags.push_back({&optionNamed("ds-config"), folder.write("ds.json", json)});
  if (llvm::Error error = readFlags(flags, {}, options)) return describe(std::move(error));
  if (llvm::Error error = readOptionFiles(options)) return describe(std::move(error));
  if (llvm::Error error = checkOptimizer(options)) return describe(std::move(error));
  return "";
}

LrSchedule scheduleOf(const std::string &json, std::vector<GivenFlag> flags = {}) {
  CompileOptions options;
  EXPECT_EQ(read(json, std::move(flags), options), "") << json;
  return options.step.optimizer.lr;
}

/// As tests/runtime/record_schedules.py wrote them.
TEST(DeepSpeedScheduler, RatesAreDeepSpeeds) {
  auto file = llvm::MemoryBuffer::getFile(AUTOTP_SOURCE_DIR "/tests/passes/options/deepspeed/schedules.json");
  ASSERT_TRUE(bool(file));
  const llvm::json::Value cases = llvm::cantFail(llvm::json::parse((*file)->getBuffer()));
  ASSERT_EQ(cases.getAsArray()->size(), 11u);
  for (const llvm::json::Value &each : *cases.getAsArray()) {
    llvm::json::Object config = *each.getAsObject();
    const llvm::json::Array rates = *config.getArray("rates");
    config.erase("rates");
    const std::string text = llvm::formatv("{0}", llvm::json::Value(std::move(config))).str();
    const LrSchedule schedule = scheduleOf(text);
    ASSERT_EQ(rates.size(), 200u);
    for (size_t i = 0; i < rates.size(); ++i)
      EXPECT_NEAR(learningRateAt(schedule, int64_t(i) + 1), *rates[i].getAsNumber(), 1e-12 * *rates[i].getAsNumber())
          << text << ", step " << i + 1;
  }
}

/// A scheduler of this type, with an optimizer of this rate.
std::string config(llvm::StringRef type, llvm::StringRef params, llvm::StringRef optimizer = "AdamW") {
  return ("{\"optimizer\": {\"type\": \"" + optimizer + "\", \"params\": {\"lr\": 0.5}}, \"scheduler\": {\"type\": \"" +
          type + "\", \"params\": {" + params + "}}}")
      .str();
}

LrSchedule late(LrSchedule s) {
  s.isLate = true;
  return s;
}

TEST(DeepSpeedScheduler, WhatIsNotSaidIsDeepSpeeds) {
  constexpr WarmupShape kLog = WarmupShape::Log;
  EXPECT_EQ(scheduleOf(config("WarmupLR", "")), late({.peak = 0.5, .warmupSteps = 1000, .warmupShape = kLog}));
  EXPECT_EQ(scheduleOf(config("WarmupDecayLR", R"("total_num_steps": 2000)")),
            late({.kind = LrKind::Linear, .peak = 1e-3, .warmupSteps = 1000, .decaySteps = 2000, .warmupShape = kLog}));
  EXPECT_EQ(scheduleOf(config("WarmupCosineLR", R"("warmup_num_steps": 3, "warmup_type": "linear")")),
            late({.kind = LrKind::Cosine, .peak = 0.5, .minimum = 1e-4 * 0.5, .warmupSteps = 3})); // as long as the run
  EXPECT_EQ(scheduleOf(config("OneCycle", R"("cycle_min_lr": 0.25, "cycle_max_lr": 0.5, "cycle_momentum": false)")),
            (LrSchedule{.kind = LrKind::Linear,
                        .peak = 0.5,
                        .minimum = 0.25,
                        .warmupSteps = 2000,
                        .decaySteps = 4000,
                        .warmupFrom = 0.25}));
}

/// What Hugging Face's Trainer fills in: the optimizer's rate, the flags, the steps of the run.
TEST(DeepSpeedScheduler, AutoSaysNothing) {
  const std::string autos = R"("warmup_min_lr": "auto", "warmup_max_lr": "auto", "warmup_num_steps": "auto")";
  EXPECT_EQ(scheduleOf(config("WarmupDecayLR", autos + R"(, "total_num_steps": "auto")"),
                       {{&optionNamed("warmup-steps"), "7"}}),
            late({.kind = LrKind::Linear, .peak = 0.5, .warmupSteps = 7, .warmupShape = WarmupShape::Log}));
  EXPECT_EQ(scheduleOf(config("WarmupLR", autos)), late({.peak = 0.5, .warmupShape = WarmupShape::Log}));
}

TEST(DeepSpeedScheduler, FlagsOverruleIt) {
  const std::string cosine =
      config("WarmupCosineLR", R"("total_num_steps": 9, "warmup_num_steps": 3, "cos_min_ratio": 0.5,
                                                         "warmup_min_ratio": 0.25, "warmup_type": "linear")");
  EXPECT_EQ(scheduleOf(cosine, {{&optionNamed("lr"), "0.25"}, {&optionNamed("decay-steps"), "8"}}),
            late({.kind = LrKind::Cosine,
                  .peak = 0.25,
                  .minimum = 0.125, // shares of the flag's rate
                  .warmupSteps = 3,
                  .decaySteps = 8,
                  .warmupFrom = 0.0625}));
  EXPECT_EQ(scheduleOf(cosine, {{&optionNamed("lr-schedule"), "linear"}, {&optionNamed("min-lr"), "0.125"}}),
            (LrSchedule{.kind = LrKind::Linear, .peak = 0.5, .minimum = 0.125})); // takes its place as a whole
}

TEST(DeepSpeedScheduler, OnlyBetasWouldCycle) {
  const std::string rates = R"("cycle_min_lr": 0, "cycle_max_lr": 0.5, "cycle_min_mom": 0.8)";
  CompileOptions options;
  EXPECT_EQ(
      read(config("OneCycle", rates), {}, options),
      "error: --ds-config: 'scheduler.params.cycle_momentum' is true, as it is unless it says otherwise, and a plan's "
      "betas cannot change\n  do:  set it to false");
  EXPECT_EQ(scheduleOf(config("OneCycle", rates, "SGD")).peak, 0.5);
  EXPECT_EQ(scheduleOf(config("OneCycle", rates + R"(, "cycle_momentum": false)")).peak, 0.5);
}

TEST(DeepSpeedScheduler, WhatIsNotHonouredIsAnError) {
  for (auto [type, params, what] : {
           std::tuple("LRRangeTest", R"("lr_range_test_min_lr": 1)", "'scheduler.type' is not WarmupLR, WarmupDecayLR"),
           {"StepLR", R"("step_size": 1)", "'scheduler.type' is not"},
           {"WarmupLR", R"("total_num_steps": 9)", "'scheduler.params.total_num_steps' means nothing"},
           {"WarmupLR", R"("warmup_min_ratio": 0)", "'scheduler.params.warmup_min_ratio' means nothing"},
           {"WarmupLR", R"("warmup_max_lr": [1, 2])", "'scheduler.params.warmup_max_lr' is a list"},
           {"WarmupLR", R"("warmup_min_lr": -1)", "'scheduler.params.warmup_min_lr' is out of range"},
           {"WarmupLR", R"("warmup_num_steps": 0)", "'scheduler.params.warmup_num_steps' is out of range"},
           {"WarmupLR", R"("warmup_num_steps": 1.5)", "'scheduler.params.warmup_num_steps' is out of range"},
           {"WarmupLR", R"("warmup_type": "cosine")", "'scheduler.params.warmup_type' is neither log nor linear"},
           {"WarmupLR", R"("last_batch_iteration": 3)", "'scheduler.params.last_batch_iteration' is not -1"},
           {"WarmupLR", R"("warmup_min_lr": 0.75)", "--lr: 0.5 is below what the warm-up begins with, 0.75"},
           {"WarmupDecayLR", R"("total_num_steps": 10)", "--warmup-steps: the warm-up takes 1000 steps"},
           {"WarmupCosineLR", R"("warmup_min_lr": 0)", "'scheduler.params.warmup_min_lr' means nothing"},
           {"WarmupCosineLR", R"("cos_min_ratio": 2)", "--min-lr: 1 is above the learning rate, 0.5"},
           {"OneCycle", R"("cycle_momentum": false, "cycle_max_lr": 1)", "'scheduler.params.cycle_min_lr' is missing"},
           {"OneCycle", R"("cycle_momentum": 0)", "'scheduler.params.cycle_momentum' is neither true nor false"},
       }) {
    CompileOptions options;
    const std::string text = read(config(type, params), {}, options);
    EXPECT_NE(text.find(what), std::string::npos) << type << " " << params << ": " << text;
  }
  CompileOptions options;
  EXPECT_EQ(read(R"({"scheduler": {}})", {}, options),
            "error: --ds-config: 'scheduler.type' is not WarmupLR, WarmupDecayLR, WarmupCosineLR or OneCycle\n"
            "  do:  name one of these, or remove the section and give --lr-schedule");
}

} // namespace
} // namespace autotp

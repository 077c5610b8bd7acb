// DeepSpeed's configuration, key by key, and flags that overrule it.
#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/config.h"
#include "passes/options/option_rows.h"
#include "passes/options/read_options.h"
#include "runtime/base/error.h"
#include "runtime/options/option_values.h"
#include "tests/runtime/temporary_file.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// `text` as a file; "" where it was read, else the message.
std::string readConfig(const std::string &text, CompileOptions &options) {
  test::TemporaryFolder folder;
  llvm::Error error = readDeepSpeedConfig(folder.write("ds.json", text), options);
  return error ? describe(std::move(error)) : "";
}

TEST(DeepSpeedConfig, TheTutorialsExample) {
  CompileOptions options;
  options.step.dp = 2;
  EXPECT_EQ(readConfig(R"({"train_batch_size": 8, "train_micro_batch_size_per_gpu": 1, "bf16": {"enabled": false},
                           "zero_optimization": {"stage": 2}, "gradient_clipping": 1.0,
                           "optimizer": {"type": "AdamW", "params": {"lr": 2e-5, "betas": [0.8, 0.99], "eps": "auto"}},
                           "tensor_parallel": {"autotp_size": 4, "preset_model": "llama"}})",
                       options),
            "");
  EXPECT_EQ(options.step.tp, 4);
  EXPECT_EQ(options.step.zero, 2);
  EXPECT_EQ(options.import.microBatch, 1);
  EXPECT_EQ(options.step.gradAccum, 4); // 8 = 1 x 4 x dp 2
  EXPECT_EQ(options.step.optimizer.clipGradNorm, 1);
  EXPECT_EQ(options.step.optimizer.lr.peak, 2e-5);
  EXPECT_EQ(options.step.optimizer.beta2, 0.99);
  EXPECT_EQ(options.step.optimizer.epsilon, 1e-8);
  EXPECT_FALSE(options.dtype); // as the model's own
}

TEST(DeepSpeedConfig, ABatchAloneIsOneMicroBatchARank) {
  CompileOptions alone, halved;
  alone.step.dp = halved.step.dp = 2;
  EXPECT_EQ(readConfig(R"({"train_batch_size": 16})", alone), "");
  EXPECT_EQ(alone.import.microBatch, 8);
  EXPECT_EQ(alone.step.gradAccum, 1);
  halved.import.microBatch = 4; // --micro-batch
  EXPECT_EQ(readConfig(R"({"train_batch_size": 16})", halved), "");
  EXPECT_EQ(halved.import.microBatch, 4);
  EXPECT_EQ(halved.step.gradAccum, 2);
}

OptimizerOptions optimizerOf(const std::string &json) {
  CompileOptions options;
  EXPECT_EQ(readConfig("{\"optimizer\": " + json + "}", options), "");
  EXPECT_FALSE(options.said.empty());
  for (const SaidOption &said : options.said) {
    EXPECT_EQ(said.by, SaidBy::DeepSpeedConfig);
    EXPECT_EQ(said.where, "'optimizer' of --ds-config");
  }
  return options.step.optimizer;
}

TEST(DeepSpeedConfig, Optimizers) {
  const OptimizerOptions adam = optimizerOf(R"({"type": "Adam", "params": {"lr": 0.5, "torch_adam": true}})");
  EXPECT_EQ(adam.kind, OptimizerKind::AdamW); // its adam_w_mode is true where it says nothing
  EXPECT_EQ(adam.lr.peak, 0.5);
  EXPECT_EQ(adam.beta2, 0.999);
  EXPECT_EQ(adam.weightDecay, 0);
  const OptimizerOptions coupled =
      optimizerOf(R"({"type": "Adam", "params": {"adam_w_mode": false, "weight_decay": 0.25}})");
  EXPECT_EQ(coupled.kind, OptimizerKind::Adam);
  EXPECT_EQ(coupled.weightDecay, 0.25);
  EXPECT_EQ(optimizerOf(R"({"type": "SGD", "params": {"lr": 0.5}})").kind, OptimizerKind::Sgd);
  const OptimizerOptions momentum =
      optimizerOf(R"({"type": "SGD", "params": {"momentum": 0.5, "dampening": 0.25, "nesterov": false}})");
  EXPECT_EQ(momentum.kind, OptimizerKind::Momentum);
  EXPECT_EQ(momentum.momentum, 0.5);
  EXPECT_EQ(momentum.dampening, 0.25);
  const OptimizerOptions adagrad = optimizerOf(
      R"({"type": "Adagrad", "params": {"lr_decay": 0.5, "initial_accumulator_value": 0.25, "eps": 0.125}})");
  EXPECT_EQ(adagrad.kind, OptimizerKind::Adagrad);
  EXPECT_EQ(adagrad.lr.peak, 1e-2);
  EXPECT_EQ(adagrad.lrDecay, 0.5);
  EXPECT_EQ(adagrad.initialAccumulator, 0.25);
  EXPECT_EQ(adagrad.epsilon, 0.125);
}

TEST(DeepSpeedConfig, Precision) {
  CompileOptions bf16;
  EXPECT_EQ(readConfig(R"({"bf16": {"enabled": true}, "fp16": {"enabled": "auto"}})", bf16), "");
  EXPECT_EQ(bf16.dtype, DType::BF16);
  CompileOptions fp16;
  EXPECT_EQ(readConfig(R"({"fp16": {"enabled": true, "loss_scale": 0, "initial_scale_power": 12,
                                    "loss_scale_window": 500, "hysteresis": 1, "min_loss_scale": 1}})",
                       fp16),
            "");
  EXPECT_EQ(fp16.dtype, DType::F16);
  EXPECT_EQ(fp16.step.lossScale.initial, 4096);
  EXPECT_EQ(fp16.step.lossScale.window, 500);
  EXPECT_EQ(fp16.step.lossScale.hysteresis, 1);
  EXPECT_TRUE(fp16.step.lossScale.isLate);
}

TEST(DeepSpeedConfig, WhatNoOptionCanHaveIsAnError) {
  for (auto [json, what] :
       {std::pair(R"({"zero_optimization": {"stage": 4}})", "'zero_optimization.stage' is out of range"),
        {R"({"optimizer": {"type": "Lion"}})", "'optimizer.type' is not AdamW, Adam, SGD"},
        {R"({"optimizer": {"params": {}}})", "'optimizer.type' is not AdamW, Adam, SGD or Adagrad, it is missing"},
        {R"({"optimizer": {"type": "SGD", "params": {"nesterov": 1}}})",
         "'optimizer.params.nesterov' is neither true nor false"},
        {R"({"optimizer": {"type": "Adam", "params": {"betas": 0.9}}})", "'optimizer.params.betas' is no pair"},
        {R"({"scheduler": "WarmupLR"})", "'scheduler' is no object"},
        {R"({"bf16": {"enabled": true}, "fp16": {"enabled": true}})", "'fp16.enabled' is true, and bf16"},
        {R"({"gradient_clipping": "much"})", "'gradient_clipping' is out of range, or no number"},
        {R"([])", "it is no JSON object"},
        {R"({)", "it is no JSON"}}) {
    CompileOptions options;
    std::string text = readConfig(json, options);
    EXPECT_NE(text.find(what), std::string::npos) << json << ": " << text;
  }
}

/// What flags and a configuration say together.
std::string readBoth(const std::string &json, std::vector<GivenFlag> flags, CompileOptions &options) {
  test::TemporaryFolder folder;
  flags.push_back({&optionNamed("o"), "plan"});
  flags.push_back({&optionNamed("ds-config"), folder.write("ds.json", json)});
  for (auto read : {+[](llvm::ArrayRef<GivenFlag> given, CompileOptions &o) { return readFlags(given, {}, o); },
                    +[](llvm::ArrayRef<GivenFlag>, CompileOptions &o) { return readOptionFiles(o); },
                    +[](llvm::ArrayRef<GivenFlag>, CompileOptions &o) { return checkOptimizer(o); }})
    if (llvm::Error error = read(flags, options)) return describe(std::move(error));
  return "";
}

TEST(DeepSpeedConfig, FlagsOverruleIt) {
  CompileOptions options;
  EXPECT_EQ(readBoth(R"({"train_batch_size": 8, "train_micro_batch_size_per_gpu": 2, "data_parallel_size": 2,
                         "zero_optimization": {"stage": 3, "reduce_bucket_size": 1000}, "gradient_clipping": 1,
                         "optimizer": {"type": "Adam", "params": {"lr": 0.5, "betas": [0.5, 0.25]}},
                         "fp16": {"enabled": true, "initial_scale_power": 4}})",
                     {{&optionNamed("grad-accum"), "2"},
                      {&optionNamed("dtype"), "bf16"},
                      {&optionNamed("zero"), "1"},
                      {&optionNamed("optimizer"), "adamw"},
                      {&optionNamed("beta2"), "0.75"}},
                     options),
            "");
  EXPECT_EQ(options.step.gradAccum, 2);
  EXPECT_EQ(options.import.microBatch, 2);
  EXPECT_EQ(options.step.dp, 2);
  EXPECT_EQ(options.dtype, DType::BF16);
  EXPECT_EQ(options.step.lossScale.initial, 16);
  EXPECT_EQ(options.step.zero, 1);
  EXPECT_EQ(options.step.bucketBytes, 4000);
  EXPECT_EQ(options.step.optimizer.lr.peak, 0.5);
  EXPECT_EQ(options.step.optimizer.beta1, 0.5);
  EXPECT_EQ(options.step.optimizer.beta2, 0.75);
  EXPECT_EQ(options.step.optimizer.clipGradNorm, 1);
  EXPECT_EQ(options.step.optimizer.weightDecay, 0); // DeepSpeed's default
}

/// A batch follows from the number of ranks that a flag says, where the configuration says none.
TEST(DeepSpeedConfig, ABatchFollowsFromAFlag) {
  CompileOptions options;
  EXPECT_EQ(readBoth(R"({"train_batch_size": 16})", {{&optionNamed("dp"), "4"}}, options), "");
  EXPECT_EQ(options.import.microBatch, 4);
}

TEST(DeepSpeedConfig, AnotherOptimizerIsNoMatterOfOverruling) {
  CompileOptions options;
  EXPECT_NE(readBoth(R"({"optimizer": {"type": "SGD"}})", {{&optionNamed("optimizer"), "adam"}}, options)
                .find("--optimizer: the configuration's optimizer is sgd"),
            std::string::npos);
  CompileOptions none;
  EXPECT_NE(readBoth(R"({"optimizer": {"type": "SGD"}})", {{&optionNamed("momentum"), "0.5"}}, none)
                .find("--momentum: sgd has no such option"),
            std::string::npos);
}

/// A key of a scheduler is honoured by one of them; KnownKeys.* has those of all else.
TEST(DeepSpeedConfig, HonoursTheKeysOfSchedulers) {
  for (const CompileRow *row : optionRows()) {
    llvm::SmallVector<llvm::StringRef, 2> keys;
    row->deepSpeed.split(keys, ", ", -1, /*KeepEmpty=*/false);
    for (llvm::StringRef key : keys) {
      if (!key.consume_front("scheduler.params.")) continue;
      std::vector<llvm::StringRef> types = {"WarmupLR", "WarmupDecayLR", "WarmupCosineLR", "OneCycle"};
      EXPECT_TRUE(llvm::any_of(types, [&](llvm::StringRef type) {
        std::string params = ("\"" + key + "\": \"auto\"").str();
        if (type == "OneCycle") params += R"(, "cycle_min_lr": 0, "cycle_max_lr": 1, "cycle_momentum": false)";
        CompileOptions options;
        return readConfig(R"({"scheduler": {"type": ")" + type.str() + R"(", "params": {)" + params + "}}}", options)
            .empty();
      })) << key.str();
    }
  }
}

} // namespace
} // namespace autotp

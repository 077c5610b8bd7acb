// DeepSpeed's documented examples of partition_config and of its configuration, on real exports.
#include "runtime/base/error.h"
#include "tests/equivalence/run_fixture.h"
#include "tools/ds_config.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

PartitionRules rulesOf(const std::string &json) {
  return llvm::cantFail(readPartitionRules(llvm::cantFail(llvm::json::parse(json))));
}

llvm::Expected<CompiledModel> compileWith(const std::string &fixture, const std::string &rules, int tp = 2) {
  CompileOptions options = test::fixtureOptions(fixture);
  options.step.tp = tp;
  options.rules = rulesOf(rules);
  return compile(options);
}

std::vector<int64_t> shardedSizes(const CompiledModel &model) {
  std::vector<int64_t> sizes;
  for (const AxisDecision &decision : model.placement.chosen.decisions)
    if (decision.isChosen) sizes.push_back(decision.size);
  llvm::sort(sizes);
  return sizes;
}

std::string refusal(llvm::Expected<CompiledModel> model) {
  if (!model) return describe(model.takeError());
  ADD_FAILURE() << "it was compiled";
  return "";
}

const std::string kRow =
                      R"({"patterns": [".*\\.o_proj\\.weight$", ".*\\.down_proj\\.weight$"], "partition_type": "row"})",
                  kColumn = R"({"patterns": [".*\\.[qkv]_proj\\.weight$"], "partition_type": "column"})";

/// The tutorial's rules, on a model whose exporter renamed every projection.
TEST(PartitionRules, RowAndColumnByTheModulesNames) {
  std::string rules = R"({"use_default_specs": false, "layer_specs": [)" + kRow + "," + kColumn + "]}";
  auto model = compileWith("llama", rules);
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedSizes(*model), (std::vector<int64_t>{4, 4, 176, 176}));
  for (const AxisDecision &decision : model->placement.chosen.decisions)
    if (decision.name == "val_386 dimension 1") EXPECT_EQ(decision.reason, "no rule names it");
}

TEST(PartitionRules, OthersAreChosenByDefault) {
  auto model = compileWith("llama", R"({"layer_specs": [)" + kRow + "]}");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedSizes(*model), (std::vector<int64_t>{4, 4, 176, 176, 256, 256}));
}

TEST(PartitionRules, TheWholeConfigurationHoldsThemToo) {
  PartitionRules rules =
      rulesOf(R"({"tensor_parallel": {"autotp_size": 4, "partition_config": {"use_default_specs": false,
    "layer_specs": [{"patterns": [".*\\.gate_up_proj\\.weight$"], "partition_type": "column", "shape": [2, -1],
                     "partition_dim": 0}]}}})");
  ASSERT_EQ(rules.rules.size(), 1u);
  EXPECT_FALSE(rules.usesDefaults);
  EXPECT_EQ(rules.rules[0].type, PartitionType::Column);
  EXPECT_EQ(rules.rules[0].shape, (std::vector<std::vector<int64_t>>{{2}, {-1}}));
}

TEST(PartitionRules, SkippedParametersKeepTheirAxesWhole) {
  auto model = compileWith("llama", R"({"layer_specs": [{"patterns": ["layers\\.0\\.self_attn\\.q_proj"],
                                                         "partition_type": "skip"}]})");
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(shardedSizes(*model), (std::vector<int64_t>{4, 176, 176, 256, 256}));
}

/// A fused projection: gpt2's c_attn holds q, k and v, each a third of its result.
TEST(PartitionRules, ShapesAreCheckedAgainstTheDimension) {
  auto rule = [](const std::string &shape) {
    return R"({"layer_specs": [{"patterns": ["c_attn\\.weight$"], "partition_type": "column", "shape": )" + shape +
           "}]}";
  };
  for (const char *shape : {"[[64, 64, 64], -1]", "[3, -1]"}) {
    auto model = compileWith("gpt2", rule(shape));
    ASSERT_TRUE(bool(model)) << describe(model.takeError());
    EXPECT_EQ(shardedSizes(*model), (std::vector<int64_t>{4, 4, 256, 256, 256}));
  }
  EXPECT_NE(refusal(compileWith("gpt2", rule("[[64, 32, 32], -1]"))).find("dimension of 192 has not the shape"),
            std::string::npos);
}

TEST(PartitionRules, WhatIsImpossibleIsSaid) {
  std::string nothing = refusal(compileWith("llama", R"({"layer_specs": [{"patterns": ["\\.q_prj\\.weight"]}]})"));
  EXPECT_NE(nothing.find("matches no parameter"), std::string::npos) << nothing;
  EXPECT_NE(nothing.find("self_attn.q_proj.weight'"), std::string::npos) << nothing;
  std::string both =
      refusal(compileWith("llama", R"({"layer_specs": [{"patterns": ["0\\.mlp\\.up_proj"], "partition_type": "column"},
                                   {"patterns": ["0\\.mlp\\.down_proj"], "partition_type": "skip"}]})"));
  EXPECT_NE(both.find("by column: it cannot be sharded over 2 ranks: a rule skips"), std::string::npos) << both;
  std::string whole = refusal(
      compileWith("llama", R"({"layer_specs": [{"patterns": ["0\\.mlp\\.up_proj"], "partition_type": "row"}]})"));
  EXPECT_NE(whole.find("rms_norm: the operator needs all of it"), std::string::npos) << whole;
}

TEST(PartitionRules, UnknownKeysAreNamed) {
  for (auto [json, what] :
       {std::pair(R"({"layer_specs": []})", "'layer_specs' is missing, or empty"),
        {R"({"layer_spec": []})", "'layer_spec' is a key that is not honoured"},
        {R"({"layer_specs": [{"patterns": ["a"], "gather": true}]})", "'gather' is a key"},
        {R"({"layer_specs": [{"patterns": ["("]}]})", "is no regular expression"},
        {R"({"layer_specs": [{"patterns": ["a"], "partition_type": "diagonal"}]})", "neither column"},
        {R"({"layer_specs": [{"patterns": ["a"], "partition_dim": 2}]})", "neither 0 nor 1"},
        {R"({"layer_specs": [{"patterns": ["a"], "shape": ["x"]}]})", "neither a size"}}) {
    auto rules = readPartitionRules(llvm::cantFail(llvm::json::parse(json)));
    ASSERT_FALSE(bool(rules)) << json;
    std::string text = describe(rules.takeError());
    EXPECT_NE(text.find(what), std::string::npos) << text;
  }
}

/// `text` as a file; "" where it was read, else the message.
std::string readConfig(const std::string &text, CompileOptions &options) {
  llvm::SmallString<128> path;
  int file = 0;
  EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("autotp-ds", "json", file, path));
  llvm::raw_fd_ostream(file, true) << text;
  llvm::Error error = readDeepSpeedConfig(path, options);
  llvm::sys::fs::remove(path);
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
  EXPECT_EQ(options.step.optimizer.lr, 2e-5);
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
  EXPECT_EQ(options.optimizerSaidBy, std::vector<std::string>{kConfiguredOptimizer});
  return options.step.optimizer;
}

TEST(DeepSpeedConfig, Optimizers) {
  const OptimizerOptions adam = optimizerOf(R"({"type": "Adam", "params": {"lr": 0.5, "torch_adam": true}})");
  EXPECT_EQ(adam.kind, OptimizerKind::AdamW); // its adam_w_mode is true where it says nothing
  EXPECT_EQ(adam.lr, 0.5);
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
  EXPECT_EQ(adagrad.lr, 1e-2);
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
}

TEST(DeepSpeedConfig, WhatIsNotHonouredIsAnError) {
  for (auto [json, what] :
       {std::pair(R"({"train_batch_size": 7, "train_micro_batch_size_per_gpu": 2})", "'train_batch_size' is 7, but"),
        {R"({"zero_optimization": {"stage": 4}})", "'zero_optimization.stage' is out of range"},
        {R"({"zero_optimization": {"offload_optimizer": {}}})",
         "'zero_optimization.offload_optimizer' is not honoured"},
        {R"({"optimizer": {"type": "Lion"}})", "'optimizer.type' is not AdamW, Adam, SGD or Adagrad"},
        {R"({"optimizer": {"type": "SGD", "params": {"betas": [0.9, 0.99]}}})",
         "'optimizer.params.betas' is not honoured"},
        {R"({"optimizer": {"type": "AdamW", "params": {"adam_w_mode": true}}})",
         "'optimizer.params.adam_w_mode' is not honoured"},
        {R"({"optimizer": {"type": "SGD", "params": {"nesterov": 1}}})",
         "'optimizer.params.nesterov' is neither true nor false"},
        {R"({"scheduler": {"type": "WarmupLR"}})", "'scheduler' is not honoured"},
        {R"({"bf16": true})", "'bf16' is no object"},
        {R"({"bf16": {"enabled": true}, "fp16": {"enabled": true}})", "'fp16.enabled' is true, and bf16"},
        {R"({"fp16": {"enabled": true, "loss_scale": 128}})", "'fp16.loss_scale' is not 0"},
        {R"({"fp16": {"enabled": true, "hysteresis": 2}})", "'fp16.hysteresis' is not 1"},
        {R"({"fp16": {"enabled": true, "auto_cast": true}})", "'fp16.auto_cast' is not honoured"},
        {R"({"gradient_clipping": "much"})", "'gradient_clipping' is out of range, or no number"},
        {R"([])", "it is no JSON object"},
        {R"({)", "it is no JSON"}}) {
    CompileOptions options;
    std::string text = readConfig(json, options);
    EXPECT_NE(text.find(what), std::string::npos) << json << ": " << text;
  }
}

} // namespace
} // namespace autotp

// DeepSpeed's documented examples of partition_config, on real exports.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"
#include "tests/fixtures/run_fixture.h"

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

} // namespace
} // namespace autotp

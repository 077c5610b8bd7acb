// onnxruntime-training's artifacts, forward and backward as they are, train to the recorded numbers on every mesh.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/options/option_rows.h"
#include "tests/equivalence/fixture.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

class Artifacts : public testing::TestWithParam<const char *> {};

/// As in fixtures_test.cpp.
std::vector<int64_t> expectedAxes(llvm::StringRef fixture, int tp) {
  if (fixture.endswith("mlp")) return {10, 128};
  if (tp > 4) return {2, 2, 4, 4, 176, 176, 256, 256};
  return {4, 4, 176, 176, 256, 256};
}

TEST_P(Artifacts, AllMeshesEqualWhatIsRecorded) {
  const Expected expected = readExpected(GetParam());
  std::vector<Mesh> meshes = {{3, 1, 0, 1}, {8, 1, 1, 1}};
  for (int tp : {1, 2, 4})
    for (int dp : {1, 2, 4})
      for (int zero : {0, 1, 2, 3})
        for (int accum : {1, 2})
          if (tp * dp <= 8 && expected.globalBatch % (dp * accum) == 0) meshes.push_back({tp, dp, zero, accum});
  for (const Mesh &mesh : meshes) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    if (mesh.tp > 1) {
      ASSERT_EQ(run->shardedSizes, expectedAxes(GetParam(), mesh.tp)) << mesh.text();
    }
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// Per layer two reductions forward and two backward, one of the embedding and one before the head's gradient leaves;
/// and one of the loss, beside its maximum. Nothing is Partial of the norms' scales.
TEST(Artifacts, LlamasReductionsAreMegatrons) {
  CompileOptions options = fixtureOptions("ort-artifacts-llama");
  options.step.tp = 2;
  const CompiledModel compiled = llvm::cantFail(compile(options));
  int sums = 0, others = 0;
  for (const plan::Instruction &step : compiled.ranks.emitted[0].sections(0).instructions())
    if (step.has_collective()) ++(step.collective().kind() == plan::ALL_REDUCE_SUM ? sums : others);
  EXPECT_EQ(sums, 5 + 5 + 1);
  EXPECT_EQ(others, 1);
}

std::string refusalOf(const CompileOptions &options) {
  llvm::Expected<CompiledModel> compiled = compile(options);
  return compiled ? "" : describe(compiled.takeError());
}

TEST(Artifacts, WhatTheySayIsSaidOnce) {
  CompileOptions options = fixtureOptions("ort-artifacts-mlp");
  options.said = {{&optionNamed("lr"), SaidBy::CommandLine, "--lr", 0.5}}; // which is not theirs
  EXPECT_EQ(refusalOf(options), "");
  options.said.push_back({&optionNamed("beta1"), SaidBy::CommandLine, "--beta1", 0.5});
  EXPECT_NE(refusalOf(options).find("--beta1: the model brings its own training graph"), std::string::npos);
  options.said.clear();
  options.dtype = DType::BF16;
  EXPECT_NE(refusalOf(options).find("--dtype: the model brings its own backward"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Equivalence, Artifacts, testing::ValuesIn(kArtifactFixtures), fixtureTestName);

} // namespace
} // namespace autotp::test

// Training on one GPU, that several ranks share: on an emulated one, and by scripts/cuda_check.sh on a real one.
#include "tests/equivalence/checkpoints.h"
#include "tests/equivalence/on_gpus.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

/// Several ranks on one GPU, talking through its memory.
TEST(OnOneGpu, RanksEqualPyTorch) {
  for (const char *fixture : {"llama", "gpt2"})
    expectPyTorchsNumbers(fixture, {{2, 2, 2, 1}, {2, 2, 3, 1}});
}

/// Every family's operators, gradients and shardings, by the GPU's kernels.
class FamiliesOnOneGpu : public testing::TestWithParam<const char *> {};
TEST_P(FamiliesOnOneGpu, RanksEqualPyTorch) {
  expectPyTorchsNumbers(std::string("models/") + GetParam(), {{2, 2, 2, 1}});
}
INSTANTIATE_TEST_SUITE_P(Equivalence, FamiliesOnOneGpu,
                         testing::Values("bert", "bloom", "falcon", "gemma", "gemma2", "gpt2", "gpt_bigcode",
                                         "gpt_neox", "llama", "mistral", "mixtral", "mlp", "modernbert", "olmo2", "opt",
                                         "phi", "phi3", "qwen2", "qwen3", "t5", "two_tower", "vit"),
                         [](const auto &info) { return std::string(info.param); });

TEST(OnOneGpu, SmallFloatsFollowF32) {
  for (DType dtype : {DType::BF16, DType::F16})
    expectSmallFloatsFollow(dtype);
}

TEST(OnOneGpu, AnOverflowIsSkippedByAllRanksAlike) {
  Expected expected = readExpected("mlp");
  expected.steps = 2;
  const RunAs overflowing{.device = DeviceKind::Cuda, .dtype = DType::F16, .lossScale = {0x1p40, 2000}};
  const Trained run = llvm::cantFail(train("mlp", expected, {2, 2, 2, 1}, overflowing));
  expected.steps = 1;
  expected.optimizer.lr.peak = 0;
  const Trained before = llvm::cantFail(train("mlp", expected, {2, 2, 2, 1}, {.device = DeviceKind::Cuda}));
  EXPECT_EQ(run.lossScales, (std::vector<double>{0x1p39, 0x1p38}));
  EXPECT_EQ(run.weights, before.weights);
}

/// Captured sections go on from what was loaded.
TEST(OnOneGpu, CheckpointsGoOnOnAnyMesh) {
  expectGoesOnAnywhere("llama", {2, 2, 2, 1}, {{2, 2, 2, 1}, {1, 2, 3, 1}}, {.device = DeviceKind::Cuda});
  const SavedPlan gpu("mlp", {2, 1, 0, 1}, {.device = DeviceKind::Cuda}), host("mlp", {1, 2, 2, 1});
  TrainOptions options = gpu.options();
  options.save = gpu.folder() + "/checkpoints";
  options.savesAsync = true;
  options.steps = 2;
  gpu.run(options);
  expectLoadsExactly(host.folder() + "/plan", options.save + "/step-2");
}

struct Log {
  std::vector<double> losses, rates, evaluated;
};

/// Five steps under a schedule, with evaluations, in two runs, of which the second goes on where the first was saved.
Log interruptedRun(DeviceKind device) {
  const SavedPlan plan("llama", {2, 2, 2, 1}, {.device = device});
  TrainOptions options = plan.options();
  options.lrKind = LrKind::Cosine;
  options.warmupSteps = 2;
  options.decaySteps = 5;
  options.evalEvery = 2;
  options.evalFeed = options.feed;
  options.evalSteps = 2;
  options.save = plan.folder() + "/checkpoints";
  options.steps = 3;
  plan.run(options);
  options.resume = "auto";
  options.steps = 5;
  plan.run(options);
  return {readLog(options.log, "loss"), readLog(options.log, "lr"), readLog(options.log, "eval_loss")};
}

/// All of it by captured sections, into which the rate goes as a scalar.
TEST(OnOneGpu, AnInterruptedRunIsTheHosts) {
  const Log host = interruptedRun(DeviceKind::Cpu), gpu = interruptedRun(DeviceKind::Cuda);
  EXPECT_EQ(gpu.rates, host.rates);
  ASSERT_EQ(host.rates.size(), 5u);
  EXPECT_TRUE(host.rates[1] < host.rates[2] && host.rates[2] > host.rates[4]) << "they rise, and then fall";
  ASSERT_EQ(host.losses.size(), 5u);
  ASSERT_EQ(gpu.losses.size(), 5u);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(gpu.losses[i] / host.losses[i], 1, 1e-5) << i;
  ASSERT_EQ(host.evaluated.size(), 4u); // after step 2, and 3 as the last; 4, and 5
  ASSERT_EQ(gpu.evaluated.size(), 4u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(gpu.evaluated[i] / host.evaluated[i], 1, 1e-5) << i;
}

/// Sections that are replayed are then run step by step, to look at each result.
TEST(OnOneGpu, WhatIsNotFiniteIsNamed) {
  const SavedPlan plan("llama", {2, 2, 2, 1}, {.device = DeviceKind::Cuda});
  TrainOptions options = plan.options();
  options.lr = 1e30;
  llvm::Error error = autotp::train(options);
  ASSERT_TRUE(bool(error));
  const std::string said = describe(std::move(error));
  for (const char *part : {"the first value that is not finite is '", "' of node '", ", on rank ", "in micro-step 1"})
    EXPECT_NE(said.find(part), std::string::npos) << part << " in: " << said;
}

TEST(OnOneGpu, OwnTrainingGraphsTrainToWhatIsRecorded) {
  for (const char *fixture :
       {kOwnTrainingFixtures[0], kOwnTrainingFixtures[1], kArtifactFixtures[0], kArtifactFixtures[1]})
    expectPyTorchsNumbers(fixture, {{1, 1, 0, 1}, {2, 2, 2, 1}});
}

TEST(OnOneGpu, LossesOfSeveralDenominatorsEqualPyTorch) {
  for (const char *loss : {"tests/fixtures/losses/two_means", "tests/fixtures/losses/bounded_mask"})
    expectPyTorchsNumbers(loss, {{2, 2, 2, 1}, {1, 2, 0, 2}});
}

/// Minutes under emulation, so ctest leaves it out: tests/equivalence/full_matrix.sh runs it.
TEST(OnOneGpu, FullMatrixEqualsPyTorch) { expectPyTorchsNumbersOnAllMeshes(); }

} // namespace
} // namespace autotp::test

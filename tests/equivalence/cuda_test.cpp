// Whole steps of training on an emulated GPU give the host's numbers, enqueued one by one and replayed as graphs.
#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"
#include "tests/equivalence/fixture.h"
#include "tests/equivalence/gpus.h"
#include "tests/equivalence/run_fixture.h"

#include <gtest/gtest.h>

#include <cmath>

namespace autotp::test {
namespace {

void feed(Executor &executor) {
  for (const plan::Input &input : executor.program().inputs()) {
    if (input.kind() != plan::FEED) continue;
    const int64_t n = elementsOf(input.tensor());
    std::vector<float> floats;
    std::vector<int64_t> tokens;
    for (int64_t i = 0; i < n; ++i) {
      floats.push_back(float(i * 7 % 11 - 5) / 5);
      tokens.push_back(i * 7 % 9);
    }
    const bool isFloats = DType(input.tensor().dtype()) == DType::F32;
    executor.upload(input.tensor(), isFloats ? static_cast<const void *>(floats.data()) : tokens.data());
  }
}

struct Numbers {
  std::vector<float> lossesAndNorms, weights;
};

llvm::Expected<Numbers> trainOn(std::unique_ptr<Device> device, const plan::Program &program) {
  auto comms = makeLocalCommunicators(1);
  auto executor = Executor::create(program, 1, 1, *comms[0], std::move(device));
  if (!executor) return executor.takeError();
  initialiseWeights(**executor, 3);
  Numbers numbers;
  for (int step = 1; step <= 3; ++step) {
    feed(**executor);
    if (llvm::Error error = runStep(**executor, step)) return error;
    if (llvm::Error error = (*executor)->synchronise()) return error;
    for (const char *output : {"loss", "grad_norm"})
      numbers.lossesAndNorms.push_back((*executor)->scalar(output));
    if (step == 1)
      if (llvm::Error error = (*executor)->captureSections()) return error;
  }
  for (const plan::Parameter &parameter : program.parameters()) {
    std::vector<float> own(size_t(elementsOf(parameter.tensor())));
    (*executor)->download(parameter.tensor(), own.data());
    numbers.weights.insert(numbers.weights.end(), own.begin(), own.end());
  }
  return numbers;
}

class OnCuda : public testing::TestWithParam<const char *> {};

TEST_P(OnCuda, TrainsToTheHostsNumbers) {
  CompileOptions options = fixtureOptions(GetParam());
  const CompiledModel forHost = llvm::cantFail(compile(options));
  options.memory.device = DeviceKind::Cuda;
  const CompiledModel forGpu = llvm::cantFail(compile(options));
  llvm::Expected<Numbers> host = trainOn(makeCpuDevice(1), forHost.emitted[0]),
                          gpu = trainOn(llvm::cantFail(makeCudaDevice({})), forGpu.emitted[0]),
                          again = trainOn(llvm::cantFail(makeCudaDevice({})), forGpu.emitted[0]);
  ASSERT_TRUE(bool(host)) << describe(host.takeError());
  ASSERT_TRUE(bool(gpu)) << describe(gpu.takeError());
  ASSERT_TRUE(bool(again)) << describe(again.takeError());
  for (size_t i = 0; i < host->lossesAndNorms.size(); ++i)
    EXPECT_NEAR(gpu->lossesAndNorms[i], host->lossesAndNorms[i], 2e-5 * (1 + std::fabs(host->lossesAndNorms[i]))) << i;
  ASSERT_EQ(gpu->weights.size(), host->weights.size());
  // Adam turns the rounding of a gradient near 0 into a part of its step of 1e-3, for few weights.
  double apart = 0;
  for (size_t i = 0; i < host->weights.size(); ++i)
    apart += std::fabs(gpu->weights[i] - host->weights[i]);
  EXPECT_LT(apart / double(host->weights.size()), 2e-6);
  EXPECT_EQ(gpu->lossesAndNorms, again->lossesAndNorms);
  EXPECT_EQ(gpu->weights, again->weights);
}

/// A world of one rank that can be told that another has failed.
class Failing : public Communicator {
public:
  int rank() const override { return comm_->rank(); }
  int size() const override { return comm_->size(); }
  llvm::Expected<std::unique_ptr<Group>> group(const std::vector<int> &ranks, Device &device) override {
    return comm_->group(ranks, device);
  }
  bool barrier() override { return comm_->barrier(); }
  int ranksOnHost() const override { return 1; }
  int rankOnHost() const override { return 0; }
  void abort() override { fails = true; }
  bool hasFailed() const override { return fails; }
  std::string failure() const override { return fails ? "rank 7 has failed" : ""; }
  bool fails = false;

private:
  std::unique_ptr<Communicator> comm_ = std::move(makeLocalCommunicators(1)[0]);
};

TEST(Replay, IsNotBegunOnceARankHasFailed) {
  CompileOptions options = fixtureOptions("mlp");
  options.memory.device = DeviceKind::Cuda;
  const CompiledModel compiled = llvm::cantFail(compile(options));
  Failing comm;
  auto executor = llvm::cantFail(Executor::create(compiled.emitted[0], 1, 1, comm, llvm::cantFail(makeCudaDevice({}))));
  initialiseWeights(*executor, 3);
  feed(*executor);
  llvm::cantFail(runStep(*executor, 1));
  llvm::cantFail(executor->synchronise());
  llvm::cantFail(executor->captureSections());
  llvm::cantFail(runStep(*executor, 2));
  llvm::cantFail(executor->synchronise());
  const float loss = executor->scalar("loss");
  comm.abort();
  EXPECT_EQ(describe(executor->run("micro_step")), "error: section 'micro_step': rank 7 has failed");
  llvm::cantFail(executor->synchronise());
  EXPECT_EQ(executor->scalar("loss"), loss) << "nothing was enqueued";
  executor->releaseGraphs();
  comm.fails = false;
  llvm::cantFail(executor->run("micro_step")); // step by step again
}

void expectPyTorchsNumbers(const std::string &fixture, const std::vector<Mesh> &meshes) {
  Expected expected = readExpected(fixture);
  for (const Mesh &mesh : meshes) {
    llvm::Expected<Trained> run = train(fixture, expected, mesh, {.device = DeviceKind::Cuda});
    ASSERT_TRUE(bool(run)) << fixture << " " << mesh.text() << ": " << describe(run.takeError());
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << fixture << " " << mesh.text() << ": " << broken;
  }
}

/// Several ranks on one GPU, talking through its memory.
TEST(OnOneGpu, RanksEqualPyTorch) {
  for (const char *fixture : {"llama", "gpt2"})
    expectPyTorchsNumbers(fixture, {{2, 2, 2, 1}});
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

/// A GPU for each rank, over NCCL, in captured graphs.
TEST(OnFourGpus, RanksEqualPyTorch) {
  Gpus four(4);
  for (const char *fixture : {"llama", "gpt2"})
    expectPyTorchsNumbers(fixture, {{2, 2, 2, 1}});
}

/// Under emulation a product's sums have another order than the host's, so the bound is that of small floats.
void expectSmallFloatsFollow(DType dtype) {
  Expected expected = readExpected("llama");
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}}) {
    llvm::Expected<Trained> run = train("llama", expected, mesh, {.device = DeviceKind::Cuda, .dtype = dtype});
    ASSERT_TRUE(bool(run)) << nameOf(dtype).str() << " " << mesh.text() << ": " << describe(run.takeError());
    ASSERT_EQ(run->losses.size(), expected.losses.size());
    for (size_t i = 0; i < expected.losses.size(); ++i)
      EXPECT_NEAR(run->losses[i] / expected.losses[i], 1, 2e-3) << nameOf(dtype).str() << " " << mesh.text();
    EXPECT_EQ(run->lossScales.size(), dtype == DType::F16 ? expected.losses.size() : 0);
  }
}

TEST(OnOneGpu, SmallFloatsFollowF32) {
  for (DType dtype : {DType::BF16, DType::F16})
    expectSmallFloatsFollow(dtype);
}

TEST(OnFourGpus, SmallFloatsFollowF32) {
  Gpus four(4);
  for (DType dtype : {DType::BF16, DType::F16})
    expectSmallFloatsFollow(dtype);
}

TEST(OnOneGpu, AnOverflowIsSkippedByAllRanksAlike) {
  Expected expected = readExpected("mlp");
  expected.steps = 2;
  const RunAs overflowing{.device = DeviceKind::Cuda, .dtype = DType::F16, .lossScale = {0x1p40, 2000}};
  const Trained run = llvm::cantFail(train("mlp", expected, {2, 2, 2, 1}, overflowing));
  expected.steps = 1;
  expected.optimizer.lr = 0;
  const Trained before = llvm::cantFail(train("mlp", expected, {2, 2, 2, 1}, {.device = DeviceKind::Cuda}));
  EXPECT_EQ(run.lossScales, (std::vector<double>{0x1p39, 0x1p38}));
  EXPECT_EQ(run.weights, before.weights);
}

TEST(OnOneGpu, OwnTrainingGraphsTrainToWhatIsRecorded) {
  for (const char *fixture :
       {kOwnTrainingFixtures[0], kOwnTrainingFixtures[1], kArtifactFixtures[0], kArtifactFixtures[1]})
    expectPyTorchsNumbers(fixture, {{1, 1, 0, 1}, {2, 2, 2, 1}});
}

/// Minutes under emulation, so ctest leaves these out: tests/equivalence/full_matrix.sh runs them.
class FullMatrix : public testing::TestWithParam<int> {};

TEST_P(FullMatrix, EqualsPyTorch) {
  Gpus gpus(GetParam());
  std::vector<Mesh> meshes;
  for (int tp : {1, 2, 4})
    for (int dp : {1, 2})
      for (int zero : {0, 1, 2})
        meshes.push_back({tp, dp, zero, 1});
  for (const char *fixture : {"mlp", "llama", "llama-ts", "gpt2", "nanogpt"})
    expectPyTorchsNumbers(fixture, meshes);
}

INSTANTIATE_TEST_SUITE_P(Gpus, FullMatrix, testing::Values(1, 8)); // shared memory of one; NCCL between eight

INSTANTIATE_TEST_SUITE_P(Equivalence, OnCuda, testing::Values("mlp", "llama", "llama-ts", "gpt2", "nanogpt"),
                         fixtureTestName);
INSTANTIATE_TEST_SUITE_P(OwnTrainingGraphs, OnCuda, testing::ValuesIn(kOwnTrainingFixtures), fixtureTestName);

} // namespace
} // namespace autotp::test

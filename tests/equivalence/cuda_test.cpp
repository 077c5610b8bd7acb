// Whole steps of training on an emulated GPU give the host's numbers, enqueued one by one and replayed as graphs.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"
#include "runtime/device/cpu/device.h"
#include "runtime/device/cuda/device.h"
#include "tests/equivalence/gpus.h"
#include "tests/equivalence/on_gpus.h"
#include "tests/fixtures/run_fixture.h"

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
    const float lr = 1e-3f / float(step); // which a graph that was captured before has to take up
    if (llvm::Error error = runStep(**executor, step, lr)) return error;
    if (llvm::Error error = (*executor)->synchronise()) return error;
    for (const char *output : {"loss", "grad_norm"})
      numbers.lossesAndNorms.push_back((*executor)->scalar(output));
    (*executor)->zeroAccumulators();
    if (llvm::Error error = (*executor)->run("evaluate")) return error;
    for (const char *sum : {"loss_sum", "count"})
      numbers.lossesAndNorms.push_back((*executor)->scalar(sum));
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
  llvm::Expected<Numbers> host = trainOn(llvm::cantFail(makeCpuDevice(1)), forHost.ranks.emitted[0]),
                          gpu = trainOn(llvm::cantFail(makeCudaDevice({})), forGpu.ranks.emitted[0]),
                          again = trainOn(llvm::cantFail(makeCudaDevice({})), forGpu.ranks.emitted[0]);
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
  auto executor =
      llvm::cantFail(Executor::create(compiled.ranks.emitted[0], 1, 1, comm, llvm::cantFail(makeCudaDevice({}))));
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

/// A GPU for each rank, over NCCL, in captured graphs.
TEST(OnFourGpus, RanksEqualPyTorch) {
  Gpus four(4);
  for (const char *fixture : {"llama", "gpt2"})
    expectPyTorchsNumbers(fixture, {{2, 2, 2, 1}, {2, 2, 3, 1}});
}

TEST(OnFourGpus, SmallFloatsFollowF32) {
  Gpus four(4);
  for (DType dtype : {DType::BF16, DType::F16})
    expectSmallFloatsFollow(dtype);
}

/// Minutes under emulation, so ctest leaves it out: tests/equivalence/full_matrix.sh runs it.
TEST(OnEightGpus, FullMatrixEqualsPyTorch) {
  Gpus eight(8);
  expectPyTorchsNumbersOnAllMeshes();
}

INSTANTIATE_TEST_SUITE_P(Equivalence, OnCuda, testing::Values("mlp", "llama", "llama-ts", "gpt2", "nanogpt"),
                         fixtureTestName);
INSTANTIATE_TEST_SUITE_P(OwnTrainingGraphs, OnCuda, testing::ValuesIn(kOwnTrainingFixtures), fixtureTestName);

} // namespace
} // namespace autotp::test

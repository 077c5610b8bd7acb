// Threads, barriers, warps, shared memory and atomics of the emulated kernel language.
#include "tests/cuda_emulation/device_array.h"
#include "tests/cuda_emulation/shared_variables.h"
#include "tests/cuda_emulation/test_kernels.h"

#include <algorithm>

namespace {

/// Runs a kernel that is wrong: the one failure that was found.
std::string failureOf(Mistake mistake) {
  emulation::reset();
  int *out = nullptr;
  EXPECT_EQ(cudaMalloc(&out, 32 * sizeof(int)), cudaSuccess);
  EXPECT_EQ(launchMistake(mistake, out, nullptr), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaFree(out), cudaErrorLaunchFailure) << "the error is sticky";
  std::vector<std::string> failures = emulation::takeFailures();
  emulation::reset();
  EXPECT_EQ(cudaFree(out), cudaSuccess);
  EXPECT_EQ(failures.size(), 1u);
  return failures.empty() ? "" : failures[0];
}

TEST(KernelLanguage, EveryThreadOfEveryBlockRunsOnce) {
  DeviceArray<float> x(counting(1000)), y(counting(1000, 5)), out(1000);
  ASSERT_EQ(launchSaxpy(1000, 2, x, y, out, nullptr), cudaSuccess);
  std::vector<float> result = out.get();
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(result[i], 2 * float(i) + 5 + float(i));
}

TEST(KernelLanguage, BlocksSumThroughSharedMemory) {
  DeviceArray<float> x(counting(64 * 5)), out(5);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    emulation::setSeed(seed);
    ASSERT_EQ(launchBlockSum(5, x, out, true, nullptr), cudaSuccess);
    std::vector<float> result = out.get();
    for (int b = 0; b < 5; ++b)
      EXPECT_EQ(result[b], 64 * 64 * float(b) + 2016);
    ASSERT_EQ(launchDynamicSum(5, 64 * sizeof(float), x, out, nullptr), cudaSuccess);
    EXPECT_EQ(out.get(), result);
  }
}

TEST(KernelLanguage, AMissingBarrierGivesWrongNumbers) {
  DeviceArray<float> x(counting(64)), out(1);
  int wrong = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    emulation::setSeed(seed);
    ASSERT_EQ(launchBlockSum(1, x, out, false, nullptr), cudaSuccess);
    wrong += out.get()[0] != 2016;
  }
  EXPECT_GT(wrong, 10);
}

TEST(KernelLanguage, LanesExchangeValues) {
  std::vector<int> values(64);
  for (int i = 0; i < 64; ++i)
    values[i] = i;
  DeviceArray<int> x(values), out(64 * 9);
  ASSERT_EQ(launchWarp(x, out, nullptr), cudaSuccess);
  std::vector<int> result = out.get();
  for (int i = 0; i < 64; ++i) {
    int first = i / 32 * 32, lane = i % 32;
    EXPECT_EQ(result[i], first + 3);
    EXPECT_EQ(result[64 + i], i ^ 1);
    EXPECT_EQ(result[128 + i], lane < 2 ? i : i - 2);
    EXPECT_EQ(result[192 + i], lane >= 30 ? i : i + 2);
    EXPECT_EQ(result[256 + i], i ^ 4);
    unsigned thirds = 0;
    for (int l = 0; l < 32; ++l)
      thirds |= unsigned((first + l) % 3 == 0) << l;
    EXPECT_EQ(unsigned(result[320 + i]), thirds);
    EXPECT_EQ(result[384 + i], first == 32);
    EXPECT_EQ(result[448 + i], first == 0);
    EXPECT_EQ(result[512 + i], lane < 16 ? 16 * first + 120 : first + 31);
  }
}

TEST(KernelLanguage, AtomicsCountEveryThread) {
  DeviceArray<int> out(std::vector<int>{0, -1, 1 << 30, 0, 7, 0, 0});
  ASSERT_EQ(launchAtomics(300, out, nullptr), cudaSuccess);
  std::vector<int> result = out.get();
  EXPECT_EQ(result[0], 299 * 300 / 2);
  EXPECT_EQ(result[1], 299);
  EXPECT_EQ(result[2], 0);
  EXPECT_EQ(result[3], 1);
  EXPECT_GE(result[4], 8);
  EXPECT_EQ(result[5], 255);
  EXPECT_EQ(result[6], 1) << "one thread alone found 0";
}

TEST(KernelLanguage, BarriersCountPredicates) {
  DeviceArray<int> out(3 * 64);
  ASSERT_EQ(launchPredicates(out, nullptr), cudaSuccess);
  std::vector<int> result = out.get();
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(result[3 * i], 5);
    EXPECT_EQ(result[3 * i + 1], 1);
    EXPECT_EQ(result[3 * i + 2], 0);
  }
}

TEST(KernelLanguage, SharedMemoryIsPoisonedBeforeEachBlock) {
  EXPECT_GE(emulation::sharedVariables().size(), 3u) << "the program has no symbols";
  DeviceArray<unsigned> out(4);
  ASSERT_EQ(launchReadUnwritten(out, nullptr), cudaSuccess);
  EXPECT_EQ(out.get(), std::vector<unsigned>(4, 0xffffffffu));
}

TEST(KernelLanguage, ManyBarriersOfFullBlocks) {
  DeviceArray<float> data(std::vector<float>(2048, 0));
  ASSERT_EQ(launchBarriers(50, data, nullptr), cudaSuccess);
  EXPECT_EQ(data.get(), std::vector<float>(2048, 50));
}

TEST(KernelLanguage, MistakesAreFailuresThatSayWhere) {
  EXPECT_NE(failureOf(Mistake::BarrierInBranch).find("__syncthreads is not reached by all live threads"),
            std::string::npos);
  EXPECT_NE(failureOf(Mistake::MissingLane).find("do not all arrive"), std::string::npos);
  EXPECT_NE(failureOf(Mistake::LaneNotNamed).find("mask does not name it"), std::string::npos);
  EXPECT_NE(failureOf(Mistake::ReadsEndedLane).find("lane 5, which does not take part"), std::string::npos);
  EXPECT_NE(failureOf(Mistake::DifferentOperations).find("do not do the same"), std::string::npos);
  DeviceArray<float> data(std::vector<float>(2048, 0)); // fibers that were abandoned do no harm
  ASSERT_EQ(launchBarriers(3, data, nullptr), cudaSuccess);
  EXPECT_EQ(data.get(), std::vector<float>(2048, 3));
}

TEST(KernelLanguage, LaunchesKeepTheLimitsOfHardware) {
  EXPECT_EQ(launchShape(1, 1024, 0), cudaSuccess);
  EXPECT_EQ(launchShape(1, 1025, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launchShape(1, dim3(1, 1, 65), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launchShape(0, 32, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launchShape(dim3(1, 65536), 32, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launchShape(dim3(1, 1, 65536), 32, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  DeviceArray<float> x(counting(64)), out(1);
  EXPECT_EQ(launchDynamicSum(1, 49 << 10, x, out, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(dynamicSumKernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(dynamicSumKernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, 227 << 10),
            cudaSuccess);
  EXPECT_EQ(launchDynamicSum(1, 49 << 10, x, out, nullptr), cudaSuccess);
  EXPECT_EQ(out.get()[0], 2016);
}

#if defined(__SANITIZE_ADDRESS__)
TEST(KernelLanguageDeathTest, AWritePastTheEndIsSeen) {
  DeviceArray<float> data(16);
  auto globalMemory = [&] { launchPastEnd(16, data, nullptr), cudaDeviceSynchronize(); };
  EXPECT_DEATH(globalMemory(), "heap-buffer-overflow");
  auto sharedMemory = [&] { launchPastShared(data, nullptr), cudaDeviceSynchronize(); };
  EXPECT_DEATH(sharedMemory(), "global-buffer-overflow");
}
#endif

} // namespace

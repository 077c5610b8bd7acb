// Streams, events, copies and memory of the emulated runtime.
#include "tests/cuda_emulation/device_array.h"
#include "tests/cuda_emulation/test_kernels.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

namespace {

constexpr int kElements = 64;

/// y = x + x on one stream, z = y + y on another, with or without the event between them: z's first element.
float twoStreams(uint64_t seed, bool wait) {
  emulation::setSeed(seed);
  DeviceArray<float> x(std::vector<float>(kElements, 1)), y(std::vector<float>(kElements, 0)), z(kElements);
  TestStream first, second;
  TestEvent event;
  EXPECT_EQ(launchSaxpy(kElements, 1, x, x, y, first), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event, first), cudaSuccess);
  EXPECT_EQ(wait ? cudaStreamWaitEvent(second, event) : cudaSuccess, cudaSuccess);
  EXPECT_EQ(launchSaxpy(kElements, 1, y, y, z, second), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  return z.get()[0];
}

TEST(Streams, AnEventOrdersThem) {
  for (uint64_t seed = 0; seed < 20; ++seed)
    EXPECT_EQ(twoStreams(seed, true), 4);
}

TEST(Streams, AMissingWaitGivesWrongNumbersForSomeSeed) {
  int wrong = 0;
  for (uint64_t seed = 0; seed < 20; ++seed)
    wrong += twoStreams(seed, false) != 4;
  EXPECT_GT(wrong, 0);
}

TEST(Streams, NothingRunsBeforeSomebodyWaits) {
  DeviceArray<float> x(counting(kElements));
  TestStream stream;
  float *pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, kElements * sizeof(float)), cudaSuccess);
  EXPECT_TRUE(std::isnan(pinned[0])) << "fresh memory is poisoned";
  ASSERT_EQ(cudaMemcpyAsync(pinned, x, kElements * sizeof(float), cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_TRUE(std::isnan(pinned[5]));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(pinned[5], 5);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

TEST(Streams, PinnedSourcesAreReadLateAndPageableOnesAtOnce) {
  DeviceArray<float> fromPinned(1), fromPageable(1);
  TestStream stream;
  float *pinned = nullptr, pageable = 1;
  ASSERT_EQ(cudaMallocHost(&pinned, sizeof(float)), cudaSuccess);
  *pinned = 1;
  ASSERT_EQ(cudaMemcpyAsync(fromPinned, pinned, sizeof(float), cudaMemcpyHostToDevice, stream), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(fromPageable, &pageable, sizeof(float), cudaMemcpyHostToDevice, stream), cudaSuccess);
  *pinned = pageable = 2;
  EXPECT_EQ(fromPinned.get()[0], 2);
  EXPECT_EQ(fromPageable.get()[0], 1);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

TEST(Streams, TheLegacyStreamWaitsForBlockingOnes) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    emulation::setSeed(seed);
    DeviceArray<float> x(std::vector<float>(kElements, 1)), y(std::vector<float>(kElements, 0)), z(kElements);
    cudaStream_t blocking = nullptr;
    ASSERT_EQ(cudaStreamCreate(&blocking), cudaSuccess);
    ASSERT_EQ(launchSaxpy(kElements, 1, x, x, y, blocking), cudaSuccess);
    ASSERT_EQ(launchSaxpy(kElements, 1, y, y, z, nullptr), cudaSuccess);
    ASSERT_EQ(launchSaxpy(kElements, 1, z, z, y, blocking), cudaSuccess);
    EXPECT_EQ(y.get()[0], 8);
    ASSERT_EQ(cudaStreamDestroy(blocking), cudaSuccess);
  }
}

TEST(Streams, QueriesMoveTheWorkOn) {
  DeviceArray<float> x(counting(kElements)), y(kElements);
  TestStream stream;
  cudaEvent_t start, end;
  ASSERT_EQ(cudaEventCreate(&start), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(start, stream), cudaSuccess);
  ASSERT_EQ(launchSaxpy(kElements, 1, x, x, y, stream), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  float ms = -1;
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, end), cudaErrorNotReady);
  int queries = 0;
  while (cudaEventQuery(end) == cudaErrorNotReady)
    ++queries;
  EXPECT_GT(queries, 0);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, end), cudaSuccess);
  EXPECT_GE(ms, 0);
  cudaEventDestroy(start), cudaEventDestroy(end);
  cudaGetLastError();
}

TEST(Streams, AHostFunctionRunsInOrderAndMayTakeLocks) {
  TestStream stream;
  int *data = nullptr;
  ASSERT_EQ(cudaMallocHost(&data, sizeof(int)), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(data, 0, sizeof(int), stream), cudaSuccess);
  auto addOne = [](void *value) { ++*static_cast<int *>(value); };
  ASSERT_EQ(cudaLaunchHostFunc(stream, addOne, data), cudaSuccess);
  ASSERT_EQ(cudaLaunchHostFunc(stream, addOne, data), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(*data, 2);
  cudaFreeHost(data);
}

TEST(Streams, HostThreadsUseItTogether) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&wrong, t] {
      TestStream stream;
      DeviceArray<float> x(std::vector<float>(kElements, float(t))), y(kElements);
      for (int pass = 0; pass < 20; ++pass) {
        launchSaxpy(kElements, 1, x, x, y, stream);
        cudaStreamSynchronize(stream);
        wrong += y.get()[7] != 2 * float(t);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Memory, IsCountedAndBounded) {
  emulation::setMachine({.freeBytes = 1000});
  size_t before = emulation::allocationCount(), live = emulation::liveAllocations().size();
  void *first = nullptr, *second = nullptr;
  EXPECT_EQ(cudaMalloc(&first, 600), cudaSuccess);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 256, 0u);
  EXPECT_EQ(cudaMalloc(&second, 600), cudaErrorMemoryAllocation);
  size_t free = 0, total = 0;
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, 400u);
  EXPECT_EQ(emulation::allocationCount(), before + 1);
  EXPECT_EQ(emulation::liveAllocations().size(), live + 1);
  EXPECT_EQ(cudaFree(first), cudaSuccess);
  EXPECT_EQ(cudaFree(first), cudaErrorInvalidValue);
  EXPECT_EQ(emulation::liveAllocations().size(), live);
  emulation::setMachine({});
  cudaGetLastError();
}

TEST(Memory, CopiesOutsideAnAllocationAreRefused) {
  DeviceArray<float> data(4);
  std::vector<float> host(8);
  EXPECT_EQ(cudaMemcpy(data, host.data(), 5 * sizeof(float), cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), data, sizeof(float), cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(data + 1, 0, 4 * sizeof(float)), cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST(Machine, ShowsWhatTheTestAsksFor) {
  emulation::setMachine({.devices = 2, .major = 8, .minor = 0});
  int count = 0, canAccess = 0, value = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 2);
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaDeviceCanAccessPeer(&canAccess, 0, 1), cudaSuccess);
  EXPECT_EQ(canAccess, 1);
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), cudaSuccess);
  EXPECT_EQ(value, 163 << 10);
  cudaDeviceProp properties;
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaSuccess);
  EXPECT_EQ(properties.major, 8);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  emulation::setMachine({.hasDriver = false});
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(count, 0);
  emulation::setMachine({});
  EXPECT_STREQ(cudaGetErrorName(cudaGetLastError()), "cudaErrorInsufficientDriver");
}

} // namespace

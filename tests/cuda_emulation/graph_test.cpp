// Capture of streams into graphs.
#include "tests/cuda_emulation/device_array.h"
#include "tests/cuda_emulation/test_kernels.h"

namespace {

constexpr int kElements = 32;

class Graphs : public testing::Test {
protected:
  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
    ASSERT_EQ(cudaStreamBeginCapture(main, mode), cudaSuccess);
  }
  /// out = a + b.
  void add(float *a, float *b, float *out, cudaStream_t stream) {
    ASSERT_EQ(launchSaxpy(kElements, 1, a, b, out, stream), cudaSuccess);
  }
  void order(cudaStream_t from, cudaStream_t to) {
    TestEvent event;
    ASSERT_EQ(cudaEventRecord(event, from), cudaSuccess);
    ASSERT_EQ(cudaStreamWaitEvent(to, event), cudaSuccess);
  }
  cudaError_t end() {
    cudaError_t error = cudaStreamEndCapture(main, &graph);
    cudaGetLastError();
    return error;
  }
  void TearDown() override {
    if (!graph) return;
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  }

  TestStream main, side;
  cudaGraph_t graph = nullptr;
  DeviceArray<float> x{std::vector<float>(kElements, 1)}, y{std::vector<float>(kElements, 0)},
      z{std::vector<float>(kElements, 0)}, sum{std::vector<float>(kElements, 0)};
};

/// x -> y on main, x -> z on a forked stream, joined: sum = y + z; and x = sum for the next launch.
TEST_F(Graphs, ForkJoinAndReplayInAnyOrder) {
  begin();
  order(main, side);
  add(x, x, y, main);
  add(x, x, z, side);
  cudaStreamCaptureStatus status;
  EXPECT_EQ(cudaStreamIsCapturing(side, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  order(side, main);
  add(y, z, sum, main);
  ASSERT_EQ(cudaMemcpyAsync(x, sum, kElements * sizeof(float), cudaMemcpyDeviceToDevice, main), cudaSuccess);
  ASSERT_EQ(end(), cudaSuccess);
  size_t nodes = 0;
  EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(nodes, 4u);
  EXPECT_EQ(x.get()[0], 1) << "a capture runs nothing";
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  for (uint64_t seed = 0; seed < 10; ++seed) {
    emulation::setSeed(seed);
    x.set(std::vector<float>(kElements, 1));
    for (int launch = 0; launch < 3; ++launch)
      ASSERT_EQ(cudaGraphLaunch(exec, main), cudaSuccess);
    EXPECT_EQ(x.get(), std::vector<float>(kElements, 64));
  }
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
}

TEST_F(Graphs, AMissingEdgeGivesWrongNumbersForSomeSeed) {
  begin();
  order(main, side);
  add(x, x, y, main);
  add(y, y, z, side); // reads y without a wait
  order(side, main);
  ASSERT_EQ(end(), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  int wrong = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    emulation::setSeed(seed);
    y.set(std::vector<float>(kElements, 0));
    ASSERT_EQ(cudaGraphLaunch(exec, main), cudaSuccess);
    wrong += z.get()[0] != 4;
  }
  EXPECT_GT(wrong, 0);
  EXPECT_LT(wrong, 20);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
}

TEST_F(Graphs, UnjoinedWorkIsRefused) {
  begin();
  order(main, side);
  add(x, x, y, side);
  EXPECT_EQ(end(), cudaErrorStreamCaptureUnjoined);
}

TEST_F(Graphs, WaitingForACapturingStreamBreaksTheCapture) {
  begin();
  add(x, x, y, main);
  EXPECT_EQ(cudaStreamSynchronize(main), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(launchSaxpy(kElements, 1, x, x, y, main), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
}

TEST_F(Graphs, UncapturedWorkMayNotBeWaitedFor) {
  TestEvent event;
  add(x, x, y, side);
  ASSERT_EQ(cudaEventRecord(event, side), cudaSuccess);
  begin();
  EXPECT_EQ(cudaStreamWaitEvent(main, event), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Graphs, AllocationBreaksAGlobalCaptureAndNotARelaxedOne) {
  void *memory = nullptr;
  begin();
  EXPECT_EQ(cudaMalloc(&memory, 16), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  begin(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaMalloc(&memory, 16), cudaSuccess);
  EXPECT_EQ(end(), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
}

TEST_F(Graphs, CapturedEventsCannotBeQueried) {
  TestEvent event;
  begin();
  add(x, x, y, main);
  ASSERT_EQ(cudaEventRecord(event, main), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event), cudaErrorCapturedEvent);
  EXPECT_EQ(end(), cudaSuccess);
}

} // namespace

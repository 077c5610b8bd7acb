// NCCL's operations between ranks that are threads, by value.
#include "cuda_bf16.h"
#include "nccl.h"
#include "tests/cuda_emulation/device_array.h"

#include <functional>
#include <numeric>
#include <thread>

namespace {

struct Rank {
  int rank, size;
  ncclComm_t comm;
  cudaStream_t stream;
};

/// `body` on `ranks` threads, each with a device and a communicator.
void onRanks(int ranks, const std::function<void(const Rank &)> &body) {
  emulation::setMachine({.devices = ranks, .deadlockSeconds = 20});
  ncclUniqueId id;
  ASSERT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([=, &body] {
      ASSERT_EQ(cudaSetDevice(rank), cudaSuccess);
      ncclComm_t comm = nullptr;
      ASSERT_EQ(ncclCommInitRank(&comm, ranks, id, rank), ncclSuccess);
      {
        TestStream stream;
        body({rank, ranks, comm, stream});
      }
      EXPECT_EQ(ncclCommDestroy(comm), ncclSuccess);
    });
  for (std::thread &thread : threads)
    thread.join();
  emulation::setMachine({});
}

std::vector<float> waited(const Rank &rank, const DeviceArray<float> &data) {
  EXPECT_EQ(cudaStreamSynchronize(rank.stream), cudaSuccess);
  return data.get();
}

TEST(Nccl, EveryOperationByValue) {
  for (int ranks : {2, 3, 4})
    onRanks(ranks, [](const Rank &r) {
      float n = float(r.size), me = float(r.rank), total = n * (n - 1) / 2;
      DeviceArray<float> in(counting(4, me)), out(4), wide(counting(4 * r.size, me)), part(4), all(4 * r.size);
      ASSERT_EQ(ncclAllReduce(in, out, 4, ncclFloat, ncclSum, r.comm, r.stream), ncclSuccess);
      EXPECT_EQ(waited(r, out)[2], 2 * n + total);
      ASSERT_EQ(ncclAllReduce(in, out, 4, ncclFloat, ncclMax, r.comm, r.stream), ncclSuccess);
      EXPECT_EQ(waited(r, out)[1], n);
      ASSERT_EQ(ncclAllReduce(in, out, 4, ncclFloat, ncclMin, r.comm, r.stream), ncclSuccess);
      EXPECT_EQ(waited(r, out)[1], 1);
      ASSERT_EQ(ncclAllReduce(in, out, 4, ncclFloat, ncclAvg, r.comm, r.stream), ncclSuccess);
      EXPECT_NEAR(waited(r, out)[3], 3 + (n - 1) / 2, 1e-6);
      ASSERT_EQ(ncclReduceScatter(wide, part, 4, ncclFloat, ncclSum, r.comm, r.stream), ncclSuccess);
      EXPECT_EQ(waited(r, part)[1], n * (4 * me + 1) + total);
      ASSERT_EQ(ncclAllGather(in, all, 4, ncclFloat, r.comm, r.stream), ncclSuccess);
      std::vector<float> gathered = waited(r, all);
      for (int i = 0; i < r.size; ++i)
        EXPECT_EQ(gathered[4 * i + 1], float(i) + 1);
      ASSERT_EQ(ncclBroadcast(in, out, 4, ncclFloat, 1, r.comm, r.stream), ncclSuccess);
      EXPECT_EQ(waited(r, out)[0], 1);
      out.set(counting(4, -9));
      ASSERT_EQ(ncclReduce(in, out, 4, ncclFloat, ncclSum, 1, r.comm, r.stream), ncclSuccess);
      EXPECT_EQ(waited(r, out)[0], r.rank == 1 ? total : -9);
      ASSERT_EQ(ncclGroupStart(), ncclSuccess);
      ASSERT_EQ(ncclSend(in, 4, ncclFloat, (r.rank + 1) % r.size, r.comm, r.stream), ncclSuccess);
      ASSERT_EQ(ncclRecv(out, 4, ncclFloat, (r.rank + r.size - 1) % r.size, r.comm, r.stream), ncclSuccess);
      ASSERT_EQ(ncclGroupEnd(), ncclSuccess);
      EXPECT_EQ(waited(r, out)[0], float((r.rank + r.size - 1) % r.size));
    });
}

TEST(Nccl, InPlaceAndSixteenBits) {
  onRanks(2, [](const Rank &r) {
    DeviceArray<float> data(counting(8, 10 * float(r.rank)));
    ASSERT_EQ(ncclReduceScatter(data, data + 4 * r.rank, 4, ncclFloat, ncclSum, r.comm, r.stream), ncclSuccess);
    ASSERT_EQ(ncclAllGather(data + 4 * r.rank, data, 4, ncclFloat, r.comm, r.stream), ncclSuccess);
    std::vector<float> result = waited(r, data);
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(result[i], 2 * float(i) + 10);
    DeviceArray<__nv_bfloat16> half(std::vector<__nv_bfloat16>{1.0f + float(r.rank) / 256});
    ASSERT_EQ(ncclAllReduce(half, half, 1, ncclBfloat16, ncclSum, r.comm, r.stream), ncclSuccess);
    ASSERT_EQ(cudaStreamSynchronize(r.stream), cudaSuccess);
    EXPECT_EQ(float(half.get()[0]), 2.0f) << "the operand was rounded to 16 bits";
  });
}

TEST(Nccl, SplitMakesGroupsInOrderOfKey) {
  onRanks(4, [](const Rank &r) {
    ncclComm_t half = nullptr, none = nullptr;
    ASSERT_EQ(ncclCommSplit(r.comm, r.rank % 2, -r.rank, &half, nullptr), ncclSuccess);
    ASSERT_EQ(ncclCommSplit(r.comm, r.rank ? NCCL_SPLIT_NOCOLOR : 0, 0, &none, nullptr), ncclSuccess);
    EXPECT_EQ(none != nullptr, r.rank == 0);
    int rank = -1, size = 0;
    EXPECT_EQ(ncclCommUserRank(half, &rank), ncclSuccess);
    EXPECT_EQ(ncclCommCount(half, &size), ncclSuccess);
    EXPECT_EQ(rank, r.rank < 2 ? 1 : 0);
    EXPECT_EQ(size, 2);
    DeviceArray<float> data(std::vector<float>{float(r.rank)});
    ASSERT_EQ(ncclAllReduce(data, data, 1, ncclFloat, ncclSum, half, r.stream), ncclSuccess);
    EXPECT_EQ(waited(r, data)[0], r.rank % 2 ? 4 : 2);
    ncclCommDestroy(half), ncclCommDestroy(none);
  });
}

TEST(Nccl, GoesIntoAGraph) {
  onRanks(2, [](const Rank &r) {
    DeviceArray<float> data(std::vector<float>{1});
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(r.stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    ASSERT_EQ(ncclAllReduce(data, data, 1, ncclFloat, ncclSum, r.comm, r.stream), ncclSuccess);
    ASSERT_EQ(ncclAllReduce(data, data, 1, ncclFloat, ncclSum, r.comm, r.stream), ncclSuccess);
    ASSERT_EQ(cudaStreamEndCapture(r.stream, &graph), cudaSuccess);
    ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
    for (int launch = 0; launch < 3; ++launch)
      ASSERT_EQ(cudaGraphLaunch(exec, r.stream), cudaSuccess);
    EXPECT_EQ(waited(r, data)[0], 64);
    cudaGraphExecDestroy(exec), cudaGraphDestroy(graph);
  });
}

TEST(Nccl, OneThreadMayHoldAllRanks) {
  emulation::setMachine({.devices = 2});
  ncclComm_t comms[2];
  ASSERT_EQ(ncclCommInitAll(comms, 2, nullptr), ncclSuccess);
  std::vector<std::unique_ptr<DeviceArray<float>>> data;
  ASSERT_EQ(ncclGroupStart(), ncclSuccess);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(cudaSetDevice(i), cudaSuccess);
    data.push_back(std::make_unique<DeviceArray<float>>(std::vector<float>{float(i + 1)}));
    ASSERT_EQ(ncclAllReduce(*data[i], *data[i], 1, ncclFloat, ncclSum, comms[i], nullptr), ncclSuccess);
  }
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  ASSERT_EQ(ncclGroupEnd(), ncclSuccess);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(cudaSetDevice(i), cudaSuccess);
    EXPECT_EQ(data[i]->get()[0], 3);
  }
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  data.clear();
  ncclCommDestroy(comms[0]), ncclCommDestroy(comms[1]);
  emulation::setMachine({});
}

TEST(Nccl, TwoRanksOnOneDeviceAreRefused) {
  ncclUniqueId id;
  ASSERT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  ncclComm_t comms[2];
  ASSERT_EQ(ncclGroupStart(), ncclSuccess);
  ASSERT_EQ(ncclCommInitRank(&comms[0], 2, id, 0), ncclSuccess);
  ASSERT_EQ(ncclCommInitRank(&comms[1], 2, id, 1), ncclSuccess);
  EXPECT_EQ(ncclGroupEnd(), ncclInvalidUsage);
}

/// What two ranks' different calls are reported as.
std::string failureOf(const std::function<void(const Rank &)> &body) {
  onRanks(2, [&](const Rank &r) {
    body(r);
    EXPECT_EQ(cudaStreamSynchronize(r.stream), cudaErrorLaunchFailure);
  });
  std::vector<std::string> failures = emulation::takeFailures();
  emulation::reset();
  return failures.empty() ? "" : failures[0];
}

/// Memory that outlives the failure: it cannot be freed while the error is sticky.
class Buffers {
public:
  Buffers() {
    emulation::setMachine({.devices = 2});
    for (int device : {0, 1}) {
      EXPECT_EQ(cudaSetDevice(device), cudaSuccess);
      data.push_back(std::make_unique<DeviceArray<float>>(counting(8)));
    }
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  }
  std::vector<std::unique_ptr<DeviceArray<float>>> data;
};

TEST(Nccl, DifferencesBetweenRanksAreFailures) {
  Buffers buffers;
  auto at = [&](const Rank &r) -> float * { return *buffers.data[r.rank]; };
  EXPECT_NE(failureOf([&](const Rank &r) {
              ncclAllReduce(at(r), at(r), 4 + r.rank, ncclFloat, ncclSum, r.comm, r.stream);
            }).find("rank 0 calls ncclAllReduce(count 4"),
            std::string::npos);
  EXPECT_NE(failureOf([&](const Rank &r) {
              if (r.rank)
                ncclAllGather(at(r), at(r), 2, ncclFloat, r.comm, r.stream);
              else
                ncclAllReduce(at(r), at(r), 2, ncclFloat, ncclSum, r.comm, r.stream);
            }).find("differ"),
            std::string::npos);
  EXPECT_NE(failureOf([&](const Rank &r) {
              ncclAllReduce(at(r), at(r) + 1, 4, ncclFloat, ncclSum, r.comm, r.stream);
            }).find("overlap"),
            std::string::npos);
}

TEST(Nccl, ACollectiveThatARankNeverCallsIsFoundAtOnce) {
  Buffers buffers;
  std::string failure = failureOf([&](const Rank &r) {
    DeviceArray<float> &data = *buffers.data[r.rank];
    if (r.rank == 0)
      ncclAllReduce(data, data, 4, ncclFloat, ncclSum, r.comm, r.stream);
    else
      ncclRecv(data, 4, ncclFloat, 0, r.comm, r.stream); // rank 0 sends nothing
  });
  EXPECT_NE(failure.find("differ"), std::string::npos) << failure;
  failure = failureOf([&](const Rank &r) {
    DeviceArray<float> &data = *buffers.data[r.rank];
    TestStream other;
    TestEvent event;
    ncclComm_t second = nullptr;
    ncclCommSplit(r.comm, 0, r.rank, &second, nullptr);
    // Each rank's stream waits for the collective that the other rank calls second.
    ncclAllReduce(data, data, 4, ncclFloat, ncclSum, r.rank ? second : r.comm, r.stream);
    ncclAllReduce(data, data, 4, ncclFloat, ncclSum, r.rank ? r.comm : second, r.stream);
    ncclCommDestroy(second);
  });
  EXPECT_NE(failure.find("can never end"), std::string::npos) << failure;
}

} // namespace

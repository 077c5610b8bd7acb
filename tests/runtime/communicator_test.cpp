/// \file Ranks as threads: every collective on groups of every size, and what happens when a rank fails.
#include "runtime/device/cpu/device.h"
#include "tests/runtime/collective_checks.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace autotp {
namespace {

/// body(communicator) on a thread for each rank.
template <typename Body> void onRanks(int size, Body body) {
  auto all = makeLocalCommunicators(size);
  std::vector<std::thread> threads;
  for (auto &comm : all)
    threads.emplace_back([&body, &comm] { body(*comm); });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(LocalCommunicator, EveryCollectiveOnTheWorld) {
  for (int size : {1, 2, 3, 4, 9}) // 9: more ranks than cores here
    for (int64_t base : {0, 1, 5, 5000})
      onRanks(size, [&](Communicator &comm) {
        std::vector<int> ranks;
        for (int r = 0; r < size; ++r)
          ranks.push_back(r);
        EXPECT_EQ(comm.size(), size);
        for (int round = 0; round < 3; ++round)
          checkGroup(comm, ranks, base);
        EXPECT_TRUE(comm.barrier());
      });
}

TEST(LocalCommunicator, Subgroups) {
  onRanks(4, [](Communicator &comm) {
    const int tp = comm.rank() % 2, dp = comm.rank() / 2;
    for (int round = 0; round < 20; ++round) {
      checkGroup(comm, {dp * 2, dp * 2 + 1}, 33);
      checkGroup(comm, {tp, 2 + tp}, 1001);
    }
  });
  onRanks(3, [](Communicator &comm) {
    if (comm.rank() != 1) checkGroup(comm, {0, 2}, 7);
  });
}

TEST(LocalCommunicator, IntegersAndDoubles) {
  onRanks(3, [](Communicator &comm) {
    auto device = llvm::cantFail(makeCpuDevice(1));
    auto group = comm.group({0, 1, 2}, *device);
    std::vector<int64_t> n = {comm.rank(), -comm.rank(), int64_t(1) << 40};
    std::vector<double> d = {comm.rank() + 0.5};
    ASSERT_TRUE((*group)->allReduce(n.data(), n.data(), 3, DType::I64, Reduce::Sum));
    ASSERT_TRUE((*group)->allReduce(d.data(), d.data(), 1, DType::F64, Reduce::Max));
    EXPECT_EQ(n, (std::vector<int64_t>{3, -3, int64_t(3) << 40}));
    EXPECT_EQ(d[0], 2.5);
  });
}

TEST(LocalCommunicator, SmallFloats) {
  for (int size : {1, 2, 3, 4})
    onRanks(size, [](Communicator &comm) { checkSmallFloats(comm); });
}

TEST(LocalCommunicator, Bytes) {
  for (int size : {1, 2, 3})
    onRanks(size, [](Communicator &comm) { checkBytes(comm); });
}

TEST(LocalCommunicator, AbortWakesEveryWait) {
  std::atomic<int> failed{0};
  onRanks(4, [&](Communicator &comm) {
    auto device = llvm::cantFail(makeCpuDevice(1));
    auto group = comm.group(comm.rank() < 2 ? std::vector<int>{0, 1} : std::vector<int>{2, 3}, *device);
    float x = 1;
    if (comm.rank() == 3) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50)); // the others sleep by then
      comm.abort();
      return;
    }
    bool isOk = comm.rank() < 2 ? comm.barrier() : (*group)->allReduce(&x, &x, 1, DType::F32, Reduce::Sum);
    failed += !isOk;
    EXPECT_FALSE(comm.barrier()); // and all that come later
  });
  EXPECT_EQ(failed, 3);
}

} // namespace
} // namespace autotp

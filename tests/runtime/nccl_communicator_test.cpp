/// \file Ranks that each own a GPU, which is emulated: every collective by value, captured too, and how failures end.
#include "runtime/base/error.h"
#include "runtime/comm/launch/meet.h"
#include "runtime/comm/launch/socket.h"
#include "runtime/comm/nccl/nccl_communicator.h"
#include "runtime/device/cpu/device.h"
#include "runtime/device/cuda/device.h"

#include <cuda_runtime_api.h>
#include <emulation/control.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

namespace autotp {
namespace {

using namespace std::chrono_literals;

/// A rank's GPU, with its uploads before and its downloads after what is in the communication queue.
class Gpu {
public:
  explicit Gpu(int ordinal) : device(llvm::cantFail(makeCudaDevice({.ordinal = ordinal}))) {
    event_ = llvm::cantFail(device->makeEvent());
  }
  template <typename T> T *put(const std::vector<T> &values) {
    auto memory = llvm::cantFail(device->allocate(values.size() * sizeof(T) + 1));
    device->upload(memory.data(), values.data(), values.size() * sizeof(T));
    return reinterpret_cast<T *>(memory.data());
  }
  void fork() { order(Stream::Compute, Stream::Communication); }
  void join() { order(Stream::Communication, Stream::Compute); }
  template <typename T> std::vector<T> get(const T *from, size_t count) {
    join();
    std::vector<T> values(count);
    device->download(values.data(), reinterpret_cast<const std::byte *>(from), count * sizeof(T));
    return values;
  }
  std::unique_ptr<Device> device;

private:
  void order(Stream from, Stream to) {
    device->record(from, event_);
    device->wait(to, event_);
  }
  EventId event_;
};

/// The same with one communicator a process: threads stand for processes, which share nothing but a store.
template <typename Body> void onProcesses(int size, int gpus, Body body) {
  emulation::setMachine({.devices = gpus, .deadlockSeconds = 20});
  const uint16_t port = portOf(llvm::cantFail(listenOn(0)));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      MeetingPoint point{"127.0.0.1", port, false, "run/"};
      Meeting meeting = llvm::cantFail(meet({&launchers()[0], rank, size}, point, "", {10s, 10s}));
      auto comm = makeNcclCommunicator(rank, size, rank, size, std::move(meeting.exchange));
      body(rank, std::move(comm));
    });
  for (std::thread &thread : threads)
    thread.join();
  emulation::setMachine({});
}

/// body(communicator, gpu) on a thread for each rank; the GPU outlives the communicator's groups.
template <typename Body> void onRanks(int size, Body body) {
  emulation::setMachine({.devices = size, .deadlockSeconds = 20});
  {
    auto all = makeNcclCommunicators(size);
    ASSERT_TRUE(bool(all)) << describe(all.takeError());
    std::vector<std::thread> threads;
    for (auto &comm : *all)
      threads.emplace_back([&body, &comm] {
        Gpu gpu(comm->rank());
        body(*comm, gpu);
      });
    for (std::thread &thread : threads)
      thread.join();
  }
  emulation::setMachine({});
}

template <typename T> T valueOf(int rank, int64_t i) { return T(rank * 10 + i % 7); }

/// One group's parts of a tensor.
struct Parts {
  Parts(const std::vector<int> &ranks, int rank, std::vector<int64_t> sizes) : ranks(ranks), counts(std::move(sizes)) {
    for (size_t m = 0; m < ranks.size(); ++m) {
      if (ranks[m] == rank) begin = all, own = counts[m];
      all += counts[m];
    }
  }
  template <typename T> T sumAt(int64_t i) const {
    T sum = 0;
    for (int rank : ranks)
      sum += valueOf<T>(rank, i);
    return sum;
  }
  std::vector<int> ranks;
  std::vector<int64_t> counts;
  int64_t all = 0, begin = 0, own = 0;
};

template <typename T> void checkReductions(Group &group, Gpu &gpu, int rank, const Parts &p, DType dtype) {
  std::vector<T> in(size_t(p.all)), sums, maxima, none(in.size() + 1, T(-1));
  for (int64_t i = 0; i < p.all; ++i) {
    in[size_t(i)] = valueOf<T>(rank, i);
    sums.push_back(p.sumAt<T>(i));
    maxima.push_back(valueOf<T>(*std::max_element(p.ranks.begin(), p.ranks.end()), i));
  }
  std::vector<T> ownSums(sums.begin() + p.begin, sums.begin() + p.begin + p.own);
  T *from = gpu.put(in), *inPlace = gpu.put(in), *sum = gpu.put(none), *max = gpu.put(none), *part = gpu.put(none);
  gpu.fork();
  ASSERT_TRUE(group.allReduce(from, sum, p.all, dtype, Reduce::Sum));
  ASSERT_TRUE(group.allReduce(from, max, p.all, dtype, Reduce::Max));
  ASSERT_TRUE(group.reduceScatter(from, part, p.counts, dtype));
  ASSERT_TRUE(group.reduceScatter(inPlace, inPlace + p.begin, p.counts, dtype));
  EXPECT_EQ(gpu.get(sum, sums.size()), sums);
  EXPECT_EQ(gpu.get(max, maxima.size()), maxima);
  EXPECT_EQ(gpu.get(part, ownSums.size()), ownSums);
  EXPECT_EQ(gpu.get(part + p.own, 1)[0], T(-1)) << "written past the end";
  EXPECT_EQ(gpu.get(inPlace + p.begin, ownSums.size()), ownSums);
  gpu.fork();
  ASSERT_TRUE(group.allGather(inPlace + p.begin, inPlace, p.counts, dtype));
  ASSERT_TRUE(group.allReduce(from, from, p.all, dtype, Reduce::Sum));
  EXPECT_EQ(gpu.get(inPlace, sums.size()), sums);
  EXPECT_EQ(gpu.get(from, sums.size()), sums);
}

template <typename T> void checkGather(Group &group, Gpu &gpu, int rank, const Parts &p, DType dtype) {
  std::vector<T> own, all;
  for (int64_t i = 0; i < p.own; ++i)
    own.push_back(valueOf<T>(rank, i));
  for (size_t m = 0; m < p.counts.size(); ++m)
    for (int64_t i = 0; i < p.counts[m]; ++i)
      all.push_back(valueOf<T>(p.ranks[m], i));
  T *from = gpu.put(own), *to = gpu.put(std::vector<T>(all.size(), T(-1)));
  gpu.fork();
  ASSERT_TRUE(group.allGather(from, to, p.counts, dtype));
  EXPECT_EQ(gpu.get(to, all.size()), all);
}

void checkGroup(Communicator &comm, Gpu &gpu, const std::vector<int> &ranks, int64_t base) {
  auto group = comm.group(ranks, *gpu.device);
  ASSERT_TRUE(bool(group)) << describe(group.takeError());
  EXPECT_EQ((*group)->size(), ranks.size());
  EXPECT_TRUE((*group)->isCapturable());
  std::vector<int64_t> uneven, even(ranks.size(), base);
  for (size_t m = 0; m < ranks.size(); ++m)
    uneven.push_back(m == 1 ? 0 : base + int64_t(m)); // and one empty
  for (const auto &counts : {uneven, even, std::vector<int64_t>(ranks.size(), 0)}) {
    Parts parts(ranks, comm.rank(), counts);
    checkReductions<float>(**group, gpu, comm.rank(), parts, DType::F32);
    checkReductions<double>(**group, gpu, comm.rank(), parts, DType::F64);
    checkReductions<int32_t>(**group, gpu, comm.rank(), parts, DType::I32);
    checkReductions<int64_t>(**group, gpu, comm.rank(), parts, DType::I64);
    checkGather<float>(**group, gpu, comm.rank(), parts, DType::F32);
    checkGather<int64_t>(**group, gpu, comm.rank(), parts, DType::I64);
  }
}

TEST(NcclCommunicator, EveryCollectiveOnTheWorld) {
  for (int size : {1, 2, 3, 4})
    for (int64_t base : {0, 1, 5, 3000})
      onRanks(size, [&](Communicator &comm, Gpu &gpu) {
        std::vector<int> ranks(static_cast<size_t>(size));
        std::iota(ranks.begin(), ranks.end(), 0);
        EXPECT_EQ(comm.size(), size);
        EXPECT_EQ(comm.ranksOnHost(), size);
        checkGroup(comm, gpu, ranks, base);
        for (int round = 0; round < 3; ++round)
          EXPECT_TRUE(comm.barrier());
        EXPECT_EQ(comm.failure(), "");
      });
}

TEST(NcclCommunicator, EveryCollectiveBetweenProcesses) {
  for (int size : {1, 2, 4})
    onProcesses(size, size, [&](int rank, llvm::Expected<std::unique_ptr<Communicator>> made) {
      ASSERT_TRUE(bool(made)) << describe(made.takeError());
      Communicator &comm = **made;
      Gpu gpu(rank);
      std::vector<int> ranks(static_cast<size_t>(size));
      std::iota(ranks.begin(), ranks.end(), 0);
      EXPECT_EQ(comm.rank(), rank);
      EXPECT_EQ(comm.rankOnHost(), rank);
      checkGroup(comm, gpu, ranks, 5);
      if (size == 4) checkGroup(comm, gpu, {rank / 2 * 2, rank / 2 * 2 + 1}, 33);
      for (int round = 0; round < 3; ++round)
        EXPECT_TRUE(comm.barrier());
      EXPECT_EQ(comm.failure(), "");
    });
}

TEST(NcclCommunicator, AFailedProcessEndsTheOthersInTime) {
  const auto start = std::chrono::steady_clock::now();
  onProcesses(3, 3, [&](int rank, llvm::Expected<std::unique_ptr<Communicator>> made) {
    Communicator &comm = **made;
    Gpu gpu(rank);
    auto group = llvm::cantFail(comm.group({0, 1, 2}, *gpu.device));
    float *data = gpu.put(std::vector<float>{1});
    gpu.fork();
    ASSERT_TRUE(comm.barrier());
    if (rank == 0) { // which serves the store
      comm.abort();
      EXPECT_FALSE(comm.isSaidElsewhere());
      return;
    }
    if (rank == 1) {
      EXPECT_FALSE(comm.barrier());
    } else {
      (void)group->allReduce(data, data, 1, DType::F32, Reduce::Sum);
      llvm::cantFail(gpu.device->synchronise());
    }
    EXPECT_TRUE(comm.hasFailed());
    EXPECT_TRUE(comm.isSaidElsewhere());
    EXPECT_EQ(comm.failure(), "rank 0 has failed");
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(NcclCommunicator, ProcessesNeedAGpuEach) {
  onProcesses(2, 0, [](int, llvm::Expected<std::unique_ptr<Communicator>> made) {
    ASSERT_FALSE(bool(made));
    EXPECT_NE(describe(made.takeError()).find("2 ranks need a GPU each, and 0 are seen"), std::string::npos);
  });
  onProcesses(2, 1, [](int rank, llvm::Expected<std::unique_ptr<Communicator>> made) { // each sees the same one
    Gpu gpu(0);
    auto group = (*made)->group({0, 1}, *gpu.device);
    ASSERT_FALSE(bool(group)) << rank;
    EXPECT_NE(describe(group.takeError()).find("two ranks are on one GPU"), std::string::npos);
  });
}

TEST(NcclCommunicator, SubgroupsAndDifferentNumbersOfThem) {
  onRanks(4, [](Communicator &comm, Gpu &gpu) {
    const int tp = comm.rank() % 2, dp = comm.rank() / 2;
    for (int round = 0; round < 2; ++round) { // the same ranks twice: two groups
      checkGroup(comm, gpu, {dp * 2, dp * 2 + 1}, 33);
      checkGroup(comm, gpu, {tp, 2 + tp}, 101);
    }
    if (comm.rank() != 1) checkGroup(comm, gpu, {0, 2, 3}, 7);
    if (comm.rank() == 3) checkGroup(comm, gpu, {3}, 7);
  });
}

TEST(NcclCommunicator, SixteenBits) {
  onRanks(2, [](Communicator &comm, Gpu &gpu) {
    auto group = llvm::cantFail(comm.group({0, 1}, *gpu.device));
    const std::vector<uint16_t> one = {0x3c00}, oneAsBf16 = {0x3f80};
    uint16_t *half = gpu.put(one), *bfloat = gpu.put(oneAsBf16);
    gpu.fork();
    ASSERT_TRUE(group->allReduce(half, half, 1, DType::F16, Reduce::Sum));
    ASSERT_TRUE(group->allReduce(bfloat, bfloat, 1, DType::BF16, Reduce::Sum));
    EXPECT_EQ(gpu.get(half, 1)[0], 0x4000);
    EXPECT_EQ(gpu.get(bfloat, 1)[0], 0x4000);
  });
}

TEST(NcclCommunicator, IsCapturedAndReplayed) {
  onRanks(3, [](Communicator &comm, Gpu &gpu) {
    auto group = llvm::cantFail(comm.group({0, 1, 2}, *gpu.device));
    const std::vector<int64_t> counts = {3, 0, 2};
    float *data = gpu.put(std::vector<float>(5, float(comm.rank() + 1)));
    int64_t begin = comm.rank() == 2 ? 3 : comm.rank() == 1 ? 3 : 0;
    auto replay = gpu.device->capture([&] {
      gpu.fork();
      bool isOk = group->allReduce(data, data, 5, DType::F32, Reduce::Sum) &&
                  group->reduceScatter(data, data + begin, counts, DType::F32) &&
                  group->allGather(data + begin, data, counts, DType::F32);
      gpu.join();
      return isOk ? Status::Ok : Status::LibraryFailed;
    });
    ASSERT_TRUE(bool(replay)) << describe(replay.takeError());
    for (int round = 0; round < 3; ++round)
      EXPECT_EQ((*replay)->run(), Status::Ok);
    EXPECT_EQ(gpu.get(data, 5), std::vector<float>(5, 6.0f * 3 * 9 * 9)); // 6 = 1 + 2 + 3, and each round 3 * 3 more
    replay->reset();                                                      // before its group
  });
}

TEST(NcclCommunicator, AbortWakesEverybodyInTime) {
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> failed{0};
  onRanks(4, [&](Communicator &comm, Gpu &gpu) {
    auto group = llvm::cantFail(comm.group({0, 1, 2, 3}, *gpu.device));
    float *data = gpu.put(std::vector<float>{1});
    gpu.fork();
    ASSERT_TRUE(comm.barrier());
    if (comm.rank() == 3) {
      std::this_thread::sleep_for(50ms); // the others wait by then
      return comm.abort();
    }
    if (comm.rank() == 0) {
      EXPECT_FALSE(comm.barrier());
    } else { // in a GPU's queue
      (void)group->allReduce(data, data, 1, DType::F32, Reduce::Sum);
      llvm::cantFail(gpu.device->synchronise());
    }
    failed += comm.hasFailed();
    EXPECT_EQ(comm.failure(), "rank 3 has failed");
    EXPECT_FALSE(group->allReduce(data, data, 1, DType::F32, Reduce::Sum)); // and all that come later
    EXPECT_FALSE(comm.barrier());
    auto late = comm.group({comm.rank()}, *gpu.device);
    if (late) {
      EXPECT_FALSE((*late)->allReduce(data, data, 1, DType::F32, Reduce::Sum));
    } else {
      llvm::consumeError(late.takeError());
    }
  });
  EXPECT_EQ(failed, 3);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(NcclCommunicator, ARankThatNeverComesDoesNotHoldTheOthers) {
  onRanks(2, [](Communicator &comm, Gpu &gpu) {
    if (comm.rank() == 0) return comm.abort();
    auto group = comm.group({0, 1}, *gpu.device); // whose id rank 0 would make
    ASSERT_FALSE(bool(group));
    EXPECT_NE(describe(group.takeError()).find("failed"), std::string::npos);
  });
}

TEST(NcclCommunicator, Refusals) {
  emulation::setMachine({.devices = 2});
  auto all = makeNcclCommunicators(3);
  ASSERT_FALSE(bool(all));
  EXPECT_EQ(describe(all.takeError()), "error: --comm nccl: 3 ranks need a GPU each, and 2 are seen\n"
                                       "  do:  start fewer ranks on this host, or take --comm local for ranks that "
                                       "share a GPU");
  onRanks(1, [](Communicator &comm, Gpu &) {
    auto host = llvm::cantFail(makeCpuDevice(1));
    auto group = comm.group({0}, *host);
    ASSERT_FALSE(bool(group));
    EXPECT_NE(describe(group.takeError()).find("it reaches GPUs' memory only"), std::string::npos);
  });
}

TEST(NcclCommunicator, TwoRanksOnOneGpuAreRefused) {
  onRanks(2, [](Communicator &comm, Gpu &) {
    Gpu same(0);
    auto group = comm.group({0, 1}, *same.device);
    ASSERT_FALSE(bool(group));
    EXPECT_NE(describe(group.takeError()).find("two ranks are on one GPU"), std::string::npos);
  });
}

} // namespace
} // namespace autotp

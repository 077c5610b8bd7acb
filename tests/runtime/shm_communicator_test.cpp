/// \file Ranks as processes that share memory: every collective, and what the others see of one that is killed, stopped or
/// late. Each rank is a fork of the test, in the environment that torchrun gives.
#include "runtime/comm/shm/shm_communicator.h"

#include "tests/runtime/collective_checks.h"
#include "tests/runtime/forked_ranks.h"

namespace autotp {
namespace {

using namespace std::chrono_literals;

constexpr WatchLimits kLimits{20ms, 400ms, 300ms, 1800s};

template <typename Body> std::vector<int> onProcesses(int size, Body body, const WatchLimits &limits = kLimits) {
  return endingsOfRanks(
      size, [&](const Launch &launch, Variable variable) { return joinOverSharedMemory(launch, variable, {}, limits); },
      body);
}

template <typename Body> void onGoodProcesses(int size, Body body) {
  const auto endings = onProcesses(size, [&](Communicator &comm) {
    body(comm);
    return Fine;
  });
  EXPECT_EQ(endings, std::vector<int>(size_t(size), Fine));
}

TEST(ShmCommunicator, EveryCollectiveOnTheWorld) {
  for (int size : {1, 2, 3, 5})
    onGoodProcesses(size, [&](Communicator &comm) {
      EXPECT_EQ(comm.size(), size);
      EXPECT_EQ(comm.ranksOnHost(), size);
      for (int64_t base : {0, 1, 5, 5000, 200000}) // the last ones in several turns
        for (int round = 0; round < 2; ++round)
          checkGroup(comm, everyRank(comm), base);
      EXPECT_TRUE(comm.barrier());
    });
}

TEST(ShmCommunicator, Subgroups) {
  onGoodProcesses(4, [](Communicator &comm) { checkSubgroups(comm, 20); });
}

TEST(ShmCommunicator, EveryType) {
  onGoodProcesses(3, [](Communicator &comm) {
    checkSmallFloats(comm);
    checkBytes(comm);
  });
}

/// Whichever turn an element is in.
TEST(ShmCommunicator, BitsAreThoseOfThreads) {
  onGoodProcesses(3, [](Communicator &comm) { checkBits(comm, 300001); });
}

/// Waits for others until one of them has failed. Of all ranks, one says it.
int waitsAndSays(Communicator &comm, const std::string &what) {
  while (comm.barrier()) {
  }
  EXPECT_TRUE(comm.hasFailed());
  EXPECT_EQ(comm.failure().empty(), comm.isSaidElsewhere());
  if (comm.isSaidElsewhere()) return Failed;
  EXPECT_NE(comm.failure().find(what), std::string::npos) << comm.failure();
  return Says;
}

/// All but `lost` fail, and one of them says it.
void expectOneSays(std::vector<int> endings, size_t lost, int endingOfLost) {
  EXPECT_EQ(endings[lost], endingOfLost);
  endings.erase(endings.begin() + long(lost));
  EXPECT_EQ(std::ranges::count(endings, Says), 1);
  EXPECT_EQ(std::ranges::count(endings, Failed), long(endings.size()) - 1);
}

TEST(ShmCommunicator, AKilledRankEndsTheOthers) {
  for (int lost : {0, 2}) {
    auto endings = onProcesses(4, [&](Communicator &comm) {
      comm.note(Activity::Training, 17);
      if (comm.rank() == lost) {
        std::this_thread::sleep_for(50ms);
        ::raise(SIGKILL);
      }
      return waitsAndSays(comm, "which was training in step 17, has ended without a word");
    });
    expectOneSays(endings, size_t(lost), Killed);
  }
}

/// It is killed too, since it would stay for ever.
TEST(ShmCommunicator, AStoppedRankEndsTheOthers) {
  const auto begin = std::chrono::steady_clock::now();
  auto endings = onProcesses(3, [&](Communicator &comm) {
    comm.note(Activity::Saving, 3);
    if (comm.rank() == 1) ::raise(SIGSTOP);
    return waitsAndSays(comm, "which was saving a checkpoint in step 3, is stopped");
  });
  expectOneSays(endings, 1, Killed);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(ShmCommunicator, ARankThatIsLateIsNamed) {
  WatchLimits limits = kLimits;
  limits.awaited = 300ms;
  auto endings = onProcesses(
      3,
      [&](Communicator &comm) {
        if (comm.rank() == 2) std::this_thread::sleep_for(60s); // its watch ends it
        return waitsAndSays(comm, "rank 2 (process ");
      },
      limits);
  expectOneSays(endings, 2, Failed);
}

/// One that says why it fails is no mystery to the others, and they say nothing.
TEST(ShmCommunicator, ARankThatFailsByItselfSaysSo) {
  const auto endings = onProcesses(3, [&](Communicator &comm) {
    if (comm.rank() == 1) {
      std::this_thread::sleep_for(50ms); // the others have joined by then
      comm.abort();
      EXPECT_FALSE(comm.isSaidElsewhere());
      EXPECT_EQ(comm.failure(), "");
      return int(Says);
    }
    return waitsAndSays(comm, "");
  });
  EXPECT_EQ(endings, (std::vector<int>{Failed, Says, Failed}));
}

TEST(ShmCommunicator, ARankThatHasLeftIsNotMissed) {
  const auto endings = onProcesses(3, [&](Communicator &comm) {
    if (comm.rank() == 0) return int(Fine);
    std::this_thread::sleep_for(300ms); // some beats
    auto device = llvm::cantFail(makeCpuDevice(1));
    auto group = llvm::cantFail(comm.group({1, 2}, *device));
    float x = 1;
    EXPECT_TRUE(group->allReduce(&x, &x, 1, DType::F32, Reduce::Sum));
    return int(Fine);
  });
  EXPECT_EQ(endings, (std::vector<int>{Fine, Fine, Fine}));
}

} // namespace
} // namespace autotp

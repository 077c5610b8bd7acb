/// \file Ranks as processes that gloo connects. Each is a fork of the test.
#include "runtime/comm/gloo/gloo_communicator.h"

#include "tests/runtime/collective_checks.h"
#include "tests/runtime/forked_ranks.h"

#include <thread>

namespace autotp {
namespace {

using namespace std::chrono_literals;

template <typename Body> std::vector<int> onProcesses(int size, Body body, std::chrono::milliseconds awaited = 60s) {
  return endingsOfRanks(
      size, [&](const Launch &launch, Variable variable) { return joinOverGloo(launch, variable, {}, awaited); }, body);
}

template <typename Body> void onGoodProcesses(int size, Body body) {
  const auto endings = onProcesses(size, [&](Communicator &comm) {
    body(comm);
    EXPECT_TRUE(comm.barrier()); // who ends closes its connections
    return Fine;
  });
  EXPECT_EQ(endings, std::vector<int>(size_t(size), Fine));
}

TEST(GlooCommunicator, EveryCollectiveOnTheWorld) {
  for (int size : {1, 2, 3, 5})
    onGoodProcesses(size, [&](Communicator &comm) {
      EXPECT_EQ(comm.size(), size);
      EXPECT_EQ(comm.ranksOnHost(), size);
      EXPECT_EQ(comm.rankOnHost(), comm.rank());
      for (int64_t base : {0, 1, 5, 5000})
        checkGroup(comm, everyRank(comm), base);
    });
}

TEST(GlooCommunicator, Subgroups) {
  onGoodProcesses(4, [](Communicator &comm) { checkSubgroups(comm, 3); });
}

TEST(GlooCommunicator, EveryType) {
  onGoodProcesses(3, [](Communicator &comm) {
    checkSmallFloats(comm);
    checkBytes(comm);
  });
}

TEST(GlooCommunicator, BitsAreThoseOfThreads) {
  onGoodProcesses(3, [](Communicator &comm) { checkBits(comm, 3001); });
}

/// Waits for others until one of them has failed.
int waits(Communicator &comm) {
  while (comm.barrier()) {
  }
  return comm.isSaidElsewhere() ? Failed : comm.failure().empty() ? Fine : Says;
}

TEST(GlooCommunicator, AKilledRankEndsTheOthers) {
  const auto begin = std::chrono::steady_clock::now();
  for (int lost : {0, 2}) {
    const auto endings = onProcesses(3, [&](Communicator &comm) {
      EXPECT_TRUE(comm.barrier()); // all are connected
      if (comm.rank() != lost) return waits(comm);
      ::raise(SIGKILL);
      return int(Fine);
    });
    for (int r = 0; r < 3; ++r)
      EXPECT_EQ(endings[size_t(r)], r == lost ? Killed : Says) << r;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(GlooCommunicator, ARankThatFailsByItselfSaysSo) {
  const auto endings = onProcesses(3, [&](Communicator &comm) {
    EXPECT_TRUE(comm.barrier());
    if (comm.rank() != 1) return waits(comm);
    comm.abort();
    EXPECT_EQ(comm.failure(), "");
    EXPECT_FALSE(comm.isSaidElsewhere());
    return int(Says);
  });
  EXPECT_EQ(endings, (std::vector<int>{Failed, Says, Failed}));
}

TEST(GlooCommunicator, ARankThatDoesNotComeIsNotAwaitedForEver) {
  const auto endings = onProcesses(
      2,
      [&](Communicator &comm) {
        if (comm.rank() == 1) std::this_thread::sleep_for(3s);
        return comm.rank() == 1 ? int(Fine) : waits(comm);
      },
      500ms);
  EXPECT_EQ(endings, (std::vector<int>{Says, Fine}));
}

} // namespace
} // namespace autotp

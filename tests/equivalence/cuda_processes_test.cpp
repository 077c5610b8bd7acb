// Ranks that a launcher started, one a process and a GPU: each knows the others through its environment and a store
// only. The emulated NCCL lives inside one process, so threads stand for processes here; processes meet in
// tests/runtime/meeting_test.cpp.
#include "runtime/base/error.h"
#include "runtime/comm/launch/socket.h"
#include "runtime/train/join_processes.h"
#include "tests/equivalence/fixture.h"
#include "tests/equivalence/gpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace autotp::test {
namespace {

using Environment = std::map<std::string, std::string>;

Environment underTorchrun(int rank, int size, uint16_t port) {
  return {{"RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(size)},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)},
          {"TORCHELASTIC_RUN_ID", "none"},
          {"TORCHELASTIC_RESTART_COUNT", "0"},
          {"TORCHELASTIC_USE_AGENT_STORE", "False"}};
}

Environment underSrun(int rank, int size, uint16_t port) {
  return {{"SLURM_PROCID", std::to_string(rank)},
          {"SLURM_STEP_NUM_TASKS", std::to_string(size)},
          {"SLURM_STEP_NODELIST", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)},
          {"SLURM_JOB_ID", "12"},
          {"SLURM_STEP_ID", "0"}};
}

/// What each rank prints; empty where it trains to the end.
std::vector<std::string> runRanks(const TrainOptions &options, int size,
                                  const std::function<Environment(int, int, uint16_t)> &environmentOf) {
  const uint16_t port = portOf(llvm::cantFail(listenOn(0)));
  std::vector<std::string> said(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      const Environment environment = environmentOf(rank, size, port);
      auto process = joinProcesses(options, [&](const char *name) {
        auto at = environment.find(name);
        return at == environment.end() ? nullptr : at->second.c_str();
      });
      llvm::Error error = process ? autotp::train(options, process->get()) : process.takeError();
      if (!error) return;
      const bool isSilent = error.isA<SaidElsewhere>();
      std::string text = describe(std::move(error));
      said[size_t(rank)] = isSilent ? "(silent)" : text;
    });
  for (std::thread &thread : threads)
    thread.join();
  return said;
}

llvm::Error firstOf(const std::vector<std::string> &said) {
  for (const std::string &text : said)
    if (!text.empty() && text != "(silent)") return problem("a rank", text);
  return llvm::Error::success();
}

TEST(Processes, EqualPyTorch) {
  Gpus four(4);
  const Expected expected = readExpected("llama");
  for (auto *launcher : {underTorchrun, underSrun}) {
    RunAs runAs{.device = DeviceKind::Cuda,
                .run = [&](const TrainOptions &options) { return firstOf(runRanks(options, 4, launcher)); }};
    llvm::Expected<Trained> run = train("llama", expected, {2, 2, 2, 1}, runAs);
    ASSERT_TRUE(bool(run)) << describe(run.takeError());
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << broken;
  }
}

/// What the ranks of a plan for `planned` ranks print.
std::vector<std::string> printed(
    int planned, int started, int gpus, const std::function<void(TrainOptions &)> &change = [](TrainOptions &) {}) {
  Gpus seen(gpus);
  std::vector<std::string> said;
  RunAs runAs{.device = DeviceKind::Cuda, .run = [&](TrainOptions options) -> llvm::Error {
                change(options);
                said = runRanks(options, started, underTorchrun);
                return problem("", "it was not to train");
              }};
  llvm::consumeError(train("mlp", readExpected("mlp"), {1, planned, 0, 1}, runAs).takeError());
  return said;
}

TEST(Processes, AnErrorIsSaidOnce) {
  std::vector<std::string> said = printed(2, 3, 4); // another number of ranks
  EXPECT_NE(said[0].find("it is for 2 ranks, but 3 were started\n  do:  start as many"), std::string::npos) << said[0];
  EXPECT_EQ(said[1], "(silent)");
  EXPECT_EQ(said[2], "(silent)");

  said = printed(2, 2, 1);
  EXPECT_NE(said[0].find("ranks 0 and 1 are both on GPU 0000:01:00.0 of "), std::string::npos) << said[0];
  EXPECT_NE(said[0].find(", which NCCL refuses\n  do:  start at most one rank a GPU"), std::string::npos) << said[0];
  EXPECT_EQ(said[1], "(silent)");

  said = printed(2, 2, 0);
  EXPECT_NE(said[0].find("it sees no GPU"), std::string::npos) << said[0];
  EXPECT_EQ(said[1], "(silent)");

  said = printed(2, 2, 2, [](TrainOptions &options) { options.feed = "/nonexistent.npz"; });
  EXPECT_NE(said[0].find("/nonexistent.npz"), std::string::npos) << said[0];
  EXPECT_EQ(said[1], "(silent)");
}

TEST(Processes, WhichCommunicatorTheyTake) {
  std::vector<std::string> said = printed(1, 1, 1, [](TrainOptions &options) { options.comm = "mpi"; });
  EXPECT_NE(said[0].find("--comm: no communicator serves: mpi: the plan is for GPUs"), std::string::npos) << said[0];
  TrainOptions missing;
  missing.plan = "/nonexistent";
  said = runRanks(missing, 1, underTorchrun);
  EXPECT_NE(said[0].find("/nonexistent"), std::string::npos) << said[0];
  auto none = joinProcesses(missing, [](const char *) -> const char * { return nullptr; });
  ASSERT_TRUE(bool(none));
  EXPECT_EQ(none->get(), nullptr) << "no launcher: all ranks run here";
}

} // namespace
} // namespace autotp::test

/// \file Which communicator a run takes, and what is said if none serves.
#include "runtime/train/communicators.h"

#include "runtime/base/error.h"
#include "runtime/comm/gloo/gloo_communicator.h"
#include "runtime/comm/nccl/nccl_communicator.h"
#include "runtime/train/join_processes.h"

#include "llvm/ADT/STLExtras.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

Manifest planFor(const char *device, size_t ranks) {
  Manifest manifest;
  manifest.device = device;
  manifest.ranks.resize(ranks);
  return manifest;
}

Launch startedBy(llvm::StringRef launcher) {
  const Launcher *row = llvm::find_if(launchers(), [&](const Launcher &row) { return launcher == row.name; });
  EXPECT_NE(row, launchers().end());
  return {row, 0, 4};
}

/// The name of the communicator, or the message.
std::string choice(const CommunicatorRequest &request) {
  auto row = chooseCommunicator(request);
  return row ? (*row)->name : describe(row.takeError());
}

TEST(Communicators, NamesAndFunctions) {
  EXPECT_EQ(communicatorNames(), "nccl, shm, mpi, gloo, local");
  for (const CommunicatorRow &row : communicators())
    EXPECT_TRUE(row.join || row.makeThreads) << row.name;
}

TEST(Communicators, OnTheHost) {
  const Manifest plan = planFor("cpu", 4);
  EXPECT_EQ(choice({"", "plan", &plan}), "local");
  Launch onOneHost = startedBy("torchrun");
  onOneHost.ranksOnHost = onOneHost.worldSize;
  EXPECT_EQ(choice({"", "plan", &plan, onOneHost}), "shm");
  const std::string underMpirun = choice({"", "plan", &plan, startedBy("mpirun (OpenMPI)")});
  if (hasMpi())
    EXPECT_EQ(underMpirun, "mpi");
  else
    EXPECT_NE(underMpirun.find("mpi: this build has no MPI"), std::string::npos) << underMpirun;
  EXPECT_EQ(choice({"local", "plan", &plan, startedBy("srun")}), "local");
}

TEST(Communicators, OverANetworkWithoutMpi) {
  const Manifest plan = planFor("cpu", 4);
  EXPECT_EQ(choice({"", "plan", &plan, startedBy("torchrun")}).substr(0, 4), hasGloo() ? "gloo" : "erro");
}

TEST(Communicators, NoneServesAndAllReasonsAreSaid) {
  const Manifest plan = planFor("cuda", 4);
  const std::string said = choice({"mpi", "plan", &plan, startedBy("torchrun")});
  EXPECT_EQ(said, "error: --comm: no communicator serves: mpi: the plan is for GPUs\n"
                  "  do:  leave --comm out, or name another of nccl, shm, mpi, gloo, local");
  if (hasNccl()) return;
  EXPECT_EQ(
      choice({"", "plan", &plan, startedBy("torchrun")}),
      "error: --comm: no communicator serves: nccl: this build has no NCCL; shm: the plan is for GPUs; mpi: the plan "
      "is for GPUs; gloo: the plan is for GPUs; local: torchrun started this process as one of 4 ranks\n"
      "  do:  start with a launcher that one of them serves, or without one");
}

TEST(Communicators, OneThatIsNamedMustServe) {
  const Manifest plan = planFor("cpu", 4);
  EXPECT_EQ(choice({"nccl", "plan", &plan}), "error: --comm: no communicator serves: nccl: the plan is for the host\n"
                                             "  do:  leave --comm out, or name another of nccl, shm, mpi, gloo, local");
  EXPECT_EQ(choice({"smoke", "plan", &plan}), "error: --comm: 'smoke' is not one of nccl, shm, mpi, gloo, local");
  const Manifest gpus = planFor("cuda", 4);
  EXPECT_NE(choice({"mpi", "plan", &gpus}).find("the plan is for GPUs"), std::string::npos);
  if (!hasNccl()) EXPECT_NE(choice({"nccl", "plan", &gpus}).find("no NCCL"), std::string::npos);
}

TEST(Communicators, APlanThatCannotBeReadIsReportedAsSuch) {
  TrainOptions options;
  options.plan = "/nonexistent";
  options.comm = "nccl"; // which needs to know that the plan is for GPUs
  auto torchrun = [](const char *name) -> const char * {
    return llvm::StringRef(name) == "RANK" ? "0" : llvm::StringRef(name) == "WORLD_SIZE" ? "2" : nullptr;
  };
  auto process = joinProcesses(options, torchrun);
  ASSERT_FALSE(bool(process));
  EXPECT_NE(describe(process.takeError()).find("/nonexistent"), std::string::npos);
  options.comm = "";
  auto alone = joinProcesses(options, noVariable);
  ASSERT_TRUE(bool(alone));
  EXPECT_EQ(alone->get(), nullptr);
  auto contradicting = [](const char *name) -> const char * {
    return llvm::StringRef(name) == "RANK" || llvm::StringRef(name) == "WORLD_SIZE" ? "x" : nullptr;
  };
  options.comm = "local"; // then the launcher does not matter
  auto local = joinProcesses(options, contradicting);
  EXPECT_TRUE(bool(local));
  llvm::consumeError(local.takeError());
}

} // namespace
} // namespace autotp

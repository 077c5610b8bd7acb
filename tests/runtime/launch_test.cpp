/// \file Launchers are recognised by their environment, and contradictions are errors.
#include "runtime/comm/launch/launch.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

#include <map>

namespace autotp {
namespace {

llvm::Expected<std::optional<Launch>> launchOf(const std::map<std::string, std::string> &environment) {
  return readLaunch([&](const char *name) {
    auto at = environment.find(name);
    return at == environment.end() ? nullptr : at->second.c_str();
  });
}

TEST(Launch, NoLauncher) {
  EXPECT_FALSE(llvm::cantFail(launchOf({})));
  EXPECT_FALSE(llvm::cantFail(launchOf({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}))); // a batch script, no srun
}

TEST(Launch, EachLauncher) {
  struct Case {
    const char *launcher, *rank, *size;
  };
  for (const Case &c :
       {Case{"torchrun", "RANK", "WORLD_SIZE"},
        Case{"mpirun (OpenMPI)", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
        Case{"mpiexec (MPICH)", "PMI_RANK", "PMI_SIZE"}, Case{"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}}) {
    std::optional<Launch> launch = llvm::cantFail(launchOf({{c.rank, "3"}, {c.size, "8"}}));
    ASSERT_TRUE(launch) << c.rank;
    EXPECT_STREQ(launch->launcher->name, c.launcher);
    EXPECT_EQ(launch->rank, 3);
    EXPECT_EQ(launch->worldSize, 8);
  }
}

TEST(Launch, TheInnermostStands) {
  std::optional<Launch> launch = llvm::cantFail(launchOf({{"SLURM_PROCID", "0"},
                                                          {"SLURM_STEP_NUM_TASKS", "2"},
                                                          {"OMPI_COMM_WORLD_RANK", "5"},
                                                          {"OMPI_COMM_WORLD_SIZE", "8"}}));
  EXPECT_STREQ(launch->launcher->name, "mpirun (OpenMPI)");
}

TEST(Launch, Contradictions) {
  for (const auto &[rank, size] :
       std::map<std::string, std::string>{{"4", "4"}, {"-1", "4"}, {"x", "4"}, {"0", "four"}, {"1", "-2"}, {"", "2"}}) {
    auto launch = launchOf({{"RANK", rank}, {"WORLD_SIZE", size}});
    ASSERT_FALSE(bool(launch)) << rank << " of " << size;
    EXPECT_NE(describe(launch.takeError()).find("RANK=" + rank), std::string::npos);
  }
}

} // namespace
} // namespace autotp

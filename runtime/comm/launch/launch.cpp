#include "runtime/comm/launch/launch.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

struct LauncherNames {
  Launcher launcher;
  const char *name, *rank, *worldSize;
};

constexpr LauncherNames kLaunchers[] = {
    // The innermost launcher first.
    {Launcher::Torchrun, "torchrun", "RANK", "WORLD_SIZE"},
    {Launcher::OpenMpi, "mpirun (OpenMPI)", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {Launcher::Mpich, "mpiexec (MPICH)", "PMI_RANK", "PMI_SIZE"},
    {Launcher::Slurm, "srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
};

} // namespace

llvm::StringRef nameOf(Launcher launcher) {
  for (const LauncherNames &row : kLaunchers)
    if (row.launcher == launcher) return row.name;
  return "";
}

llvm::Expected<std::optional<Launch>> readLaunch(llvm::function_ref<const char *(const char *)> variable) {
  for (const LauncherNames &row : kLaunchers) {
    const char *rank = variable(row.rank), *size = variable(row.worldSize);
    if (!rank || !size) continue;
    Launch launch{row.launcher};
    if (llvm::StringRef(rank).getAsInteger(10, launch.rank) ||
        llvm::StringRef(size).getAsInteger(10, launch.worldSize) || launch.rank < 0 || launch.rank >= launch.worldSize)
      return problem(
          llvm::formatv("environment of {0}", row.name).str(),
          llvm::formatv("{0}={1} is no rank of {2}={3}", row.rank, escaped(rank), row.worldSize, escaped(size)).str(),
          "start all ranks with one launcher, or unset these variables to run alone");
    return launch;
  }
  return std::nullopt;
}

} // namespace autotp

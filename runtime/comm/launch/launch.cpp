#include "runtime/comm/launch/launch.h"

#include "runtime/base/error.h"
#include "runtime/comm/launch/meeting_point.h"

namespace autotp {
namespace {

constexpr const char *kTorchrunsRun[] = {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"};
constexpr const char *kSlurmsRun[] = {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"};

const Launcher kLaunchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", kTorchrunsRun, false, torchrunsMeetingPoint},
    {"mpirun (OpenMPI)",
     "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_SIZE",
     {},
     true,
     mpisMeetingPoint},
    {"mpiexec (MPICH)", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", {}, true, mpisMeetingPoint},
    {"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE", kSlurmsRun, true, slurmsMeetingPoint},
};

} // namespace

llvm::ArrayRef<Launcher> launchers() { return kLaunchers; }

llvm::Expected<std::optional<Launch>> readLaunch(Variable variable) {
  for (const Launcher &row : kLaunchers) {
    const char *rank = variable(row.rankVariable), *size = variable(row.worldSizeVariable);
    if (!rank || !size) continue;
    Launch launch{&row};
    if (llvm::StringRef(rank).getAsInteger(10, launch.rank) ||
        llvm::StringRef(size).getAsInteger(10, launch.worldSize) || launch.rank < 0 || launch.rank >= launch.worldSize)
      return problem(llvm::formatv("environment of {0}", row.name).str(),
                     llvm::formatv("{0}={1} is no rank of {2}={3}", row.rankVariable, escaped(rank),
                                   row.worldSizeVariable, escaped(size))
                         .str(),
                     "start all ranks with one launcher, or unset these variables to run alone");
    const char *onHost = variable(row.ranksOnHostVariable);
    if (!onHost || llvm::StringRef(onHost).getAsInteger(10, launch.ranksOnHost)) launch.ranksOnHost = 0;
    return launch;
  }
  return std::nullopt;
}

} // namespace autotp

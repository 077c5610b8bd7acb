/// \file Which launcher started this process, and as which rank.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace autotp {

enum class Launcher : uint8_t { Torchrun, OpenMpi, Mpich, Slurm };

struct Launch {
  Launcher launcher;
  int64_t rank = 0, worldSize = 1;
};

/// "torchrun", "mpirun (OpenMPI)", "mpiexec (MPICH)" or "srun".
llvm::StringRef nameOf(Launcher launcher);

/// Reads the environment through `variable` (nullptr for one that is not set). Returns nothing if no launcher started
/// this process. A launcher is recognised if both its rank and its world size are set; of several, the innermost counts
/// (mpirun or srun may start torchrun, and srun mpirun). Errors: values that are no numbers, a rank outside its world.
llvm::Expected<std::optional<Launch>> readLaunch(llvm::function_ref<const char *(const char *)> variable);

} // namespace autotp

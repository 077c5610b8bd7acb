/// \file Which launcher started this process, and as which rank.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace autotp {

/// The value of an environment variable; nullptr if it is not set.
using Variable = llvm::function_ref<const char *(const char *)>;
inline const char *noVariable(const char *) { return nullptr; }

struct MeetingPoint;

/// A row of the table of launchers.
struct Launcher {
  const char *name;
  /// A launcher is recognised if both of these variables are set.
  const char *rankVariable, *worldSizeVariable;
  /// The number of ranks on this host; srun has a list of such numbers here if there are several hosts.
  const char *ranksOnHostVariable;
  /// Variables that differ between runs and restarts, which may use the same store of keys.
  llvm::ArrayRef<const char *> runVariables;
  bool startsMpi; ///< its processes are a world of MPI
  /// Completes a meeting point that MASTER_ADDR and MASTER_PORT, if both are set, have filled.
  llvm::Expected<MeetingPoint> (*meetingPoint)(MeetingPoint point, Variable variable);
};

/// The innermost launcher first: mpirun or srun may start torchrun, and srun mpirun.
llvm::ArrayRef<Launcher> launchers();

struct Launch {
  const Launcher *launcher;
  int64_t rank = 0, worldSize = 1;
  int64_t ranksOnHost = 0; ///< 0: the launcher does not say it
};

/// Reads the environment through `variable` (nullptr for one that is not set). Returns nothing if no launcher started
/// this process. Of several launchers, the innermost counts. Errors: values that are no numbers, a rank outside its world.
llvm::Expected<std::optional<Launch>> readLaunch(Variable variable);

} // namespace autotp

/// \file Gives every value of a rank's sections its place in one arena.
/// Before:  graphs and states
/// After:   byte offsets: states and inputs for good, activations for as long as someone needs them
/// Views share their operand's bytes; what must or may be computed in place is; an operand of an outermost concat is
/// computed where the concat wants it. Sections never run at the same time, so their activations share one region.
#pragma once

#include "compiler/sharding/rank_program.h"
#include "runtime/plan/workspace.h"

namespace autotp {

/// Byte `offset` plus dp_rank times `dpStride` of the arena.
struct Address {
  uint64_t offset = 0, dpStride = 0;
};

struct MemoryRegion {
  std::string name;
  uint64_t offset, bytes;
};

struct MemoryPlan {
  std::vector<Address> states;
  llvm::SmallVector<std::vector<Address>, 3> values; ///< by ValueId, of each of RankProgram::sections()
  uint64_t workspaceOffset = 0, workspaceBytes = 0, arenaBytes = 0;
  std::vector<MemoryRegion> regions;
};

/// What the memory of a rank is planned for.
struct MemoryOptions {
  DeviceKind device = DeviceKind::Cpu;
  int threads = 8; ///< on the host: kernels of a rank get workspace for so many
};

/// On a GPU kernels go on while gradients are reduced over dp, so what a reduction reads lives until the next one
/// begins: else the next kernel that wants its memory would wait for it.
MemoryPlan planMemory(const RankProgram &program, const MemoryOptions &options);

} // namespace autotp

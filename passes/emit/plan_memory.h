/// \file Gives every value of a rank's sections its place in one arena.
/// Before:  graphs and states
/// After:   byte offsets: states and inputs for good, activations for as long as someone needs them
/// Views share their operand's bytes; what must or may be computed in place is; an operand of an outermost concat is
/// computed where the concat wants it. Sections never run at the same time, so their activations share one region.
#pragma once

#include "compiler/sharding/rank_program.h"

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
  std::vector<Address> values[2]; ///< by ValueId, of micro_step and optimizer_step
  uint64_t workspaceOffset = 0, workspaceBytes = 0, arenaBytes = 0;
  std::vector<MemoryRegion> regions;
};

/// `threads`: for how many threads a rank's kernels get workspace.
MemoryPlan planMemory(const RankProgram &program, int threads);

} // namespace autotp

/// \file Gives every value of a rank's sections its address in one arena.
/// Before:  graphs and states
/// After:   byte offsets; states and inputs have theirs for good, activations from their first to their last use, and
/// gradients that are not accumulated from when they are written to the end of the step
/// Views share the bytes of their operand. Operators that work in place share those of the operand that they overwrite.
/// An operand of a concat along the outermost dimension is computed at its place in the result. Sections never run at
/// the same time, so their activations share one memory region.
#pragma once

#include "runtime/plan/kernels/workspace.h"

#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace autotp {

struct RankProgram;

/// The arena byte `offset` + dp_rank * `dpStride`.
struct Address {
  uint64_t offset = 0, dpStride = 0;
  bool operator==(const Address &) const = default;
};

struct MemoryRegion {
  std::string name;
  uint64_t offset, bytes;
};

struct MemoryPlan {
  std::vector<Address> states;
  llvm::SmallVector<std::vector<Address>, 4> values; ///< by ValueId, for each of RankProgram::sections()
  /// By NodeId, for each section: whether the results lie where the operands are, so that nothing is executed.
  llvm::SmallVector<std::vector<bool>, 4> isInPlace;
  uint64_t workspaceOffset = 0, workspaceBytes = 0, arenaBytes = 0;
  std::vector<MemoryRegion> regions;
};

/// The device and threads for which memory is planned.
struct MemoryOptions {
  DeviceKind device = DeviceKind::Cpu;
  int threads = 8; ///< threads of one rank on the host; kernels get workspace for as many
};

/// On a GPU, kernels continue while gradients are reduced over dp. So the operand of such a reduction lives until the
/// next reduction begins; otherwise the next kernel that reuses its memory would have to wait for it.
MemoryPlan planMemory(const RankProgram &program, const MemoryOptions &options);

} // namespace autotp

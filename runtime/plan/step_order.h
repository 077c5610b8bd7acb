/// \file Which steps of a section must not run at the same time, and whether a plan's events keep them apart.
#pragma once

#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// Bytes of the arena that a step reads or writes: [offset, offset + bytes), further on by dp_rank times stride.
struct Access {
  uint64_t offset, stride, bytes;
  bool writes;
};
using Accesses = llvm::SmallVector<Access, 8>;

/// Operands, results and workspace.
Accesses accessesOf(const plan::Instruction &instruction);
/// Whether one writes what the other reads or writes, on some dp rank of `dp`.
bool conflict(const Accesses &a, const Accesses &b, int64_t dp);

/// Every two steps that conflict, one in each queue, are ordered as they stand in the section, by waits and the order
/// within a queue. Errors name both steps; also an event that no earlier step, or more than one, signals.
llvm::Error checkOrder(const plan::Program &program, int64_t dp);

} // namespace autotp

/// \file Whether the programs of all ranks meet in their collectives.
#pragma once

#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// Whether a step is a collective in which tp ranks meet. In one over dp alone only replicas do, which all run the same
/// program.
bool isShared(const plan::Program &program, const plan::Instruction &instruction);
bool isSameGroup(const plan::Group &a, const plan::Group &b);
/// The tp ranks that take part, each once.
llvm::SmallVector<size_t, 8> tpMembersOf(const plan::Group &group, size_t tp);

/// `byTp`: the program of each tp rank, the same on all dp ranks. Walks all of them in lock-step: a collective over tp
/// or the world needs all its members in one of the same kind, dtype, counts and sequence number.
/// Errors name the collective that waits for ever, or that differs between its members.
llvm::Error checkWorld(llvm::ArrayRef<const plan::Program *> byTp);

} // namespace autotp

/// \file The tp ranks of a plan walked together, from collective to collective.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace autotp {

/// What a walk in lock-step asks about its ranks, and does with them. Each rank has a sequence of steps, some of which
/// are collectives that it shares with other ranks.
class LockStep {
public:
  /// Runs ranks 0 to `ranks` - 1 to their ends: each to its next shared collective, then one collective whose members
  /// all wait in it, and so on. Errors: those of the functions below.
  llvm::Error walk(size_t ranks);

protected:
  ~LockStep() = default;
  /// Runs the rank to the next collective that it shares, or to its end.
  virtual llvm::Error advance(size_t rank) = 0;
  virtual bool isDone(size_t rank) const = 0;
  /// The members of the collective in which the rank waits.
  virtual llvm::SmallVector<size_t, 8> members(size_t rank) const = 0;
  /// Whether two ranks, which both wait, wait in one and the same collective.
  virtual bool isSameCollective(size_t rank, size_t other) const = 0;
  /// All members have come to their collective: runs it, and moves them past it.
  virtual llvm::Error meet(llvm::ArrayRef<size_t> members) = 0;
  /// The error if the rank waits in a collective whose other members never come.
  virtual llvm::Error waitsForEver(size_t rank) const = 0;
};

} // namespace autotp

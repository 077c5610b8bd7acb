#include "runtime/plan/lock_step.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

namespace autotp {

llvm::Error LockStep::walk(size_t ranks) {
  const auto all = llvm::seq<size_t>(0, ranks);
  auto waits = [&](size_t rank) { return !isDone(rank); };
  auto canMeet = [&](size_t rank) {
    return waits(rank) && llvm::all_of(members(rank), [&](size_t member) {
             return member < ranks && waits(member) && isSameCollective(rank, member);
           });
  };
  while (true) {
    for (size_t rank : all)
      if (llvm::Error error = advance(rank)) return error;
    if (auto ready = llvm::find_if(all, canMeet); ready != all.end()) {
      if (llvm::Error error = meet(members(*ready))) return error;
      continue;
    }
    auto stuck = llvm::find_if(all, waits);
    return stuck == all.end() ? llvm::Error::success() : waitsForEver(*stuck);
  }
}

} // namespace autotp

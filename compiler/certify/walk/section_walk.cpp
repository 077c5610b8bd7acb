// compiler/certify/walk/section_walk.cpp: the steps of a section, on all tp ranks in lock-step.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::Error checkAttributeNames(const plan::KernelCall &call) {
  for (int i = 0; i < call.attributes_size(); ++i)
    for (int j = 0; j < i; ++j)
      if (call.attributes(i).name() == call.attributes(j).name()) return refuse("it has an attribute twice");
  return llvm::Error::success();
}

/// Executes a kernel call, or a collective over dp, which waits for no other tp rank.
llvm::Error execute(TpRank &rank, const plan::Step &step) {
  if (llvm::Error error = checkOverlaps(rank, step)) return error;
  if (step.has_collective()) return collectiveOverDp(rank, step.collective());
  const plan::KernelCall &call = step.kernel();
  if (llvm::Error error = checkAttributeNames(call)) return error;
  rank.arena.forget(call.workspace_offset(), call.workspace_bytes());
  rank.proof.constants.useHints(rank.hints);
  return ruleOf(KernelId(call.kernel()))(rank, call);
}

llvm::Error atStep(const TpRank &rank, const plan::Step &step, llvm::Error error) {
  return placed(llvm::formatv("tp rank {0}, {1}, step '{2}' (from {3})", rank.number, rank.section,
                              escaped(step.name()), escaped(step.origin()))
                    .str(),
                std::move(error));
}

/// Takes all ranks from collective to collective.
class Walk {
public:
  Walk(Proof &proof, const TpRanks &ranks, int section)
      : proof_(proof), ranks_(ranks), section_(section), next_(ranks.size(), 0) {}

  llvm::Error run() {
    for (bool hasMoved = true; hasMoved;) {
      hasMoved = false;
      for (size_t r = 0; r < ranks_.size(); ++r) {
        if (llvm::Error error = advance(r, hasMoved)) return error;
        if (llvm::Error error = meet(r, hasMoved)) return error;
      }
    }
    return llvm::Error::success(); // checkWorld has seen that nobody waits for ever
  }

private:
  const plan::Section &sectionOf(size_t r) const { return ranks_[r]->program.sections(section_); }
  bool isDone(size_t r) const { return next_[r] == sectionOf(r).steps_size(); }
  const plan::Step &step(size_t r) const { return sectionOf(r).steps(next_[r]); }
  const plan::Group &group(size_t r) const { return ranks_[r]->program.groups(int(step(r).collective().group())); }
  bool waitsForOthers(size_t r) const { return step(r).has_collective() && group(r).axis() != plan::DP; }

  llvm::Error advance(size_t r, bool &hasMoved) {
    for (; !isDone(r) && !waitsForOthers(r); ++next_[r], hasMoved = true)
      if (llvm::Error error = execute(*ranks_[r], step(r))) return atStep(*ranks_[r], step(r), std::move(error));
    return llvm::Error::success();
  }

  /// Returns the tp ranks that are members of a group, in its order.
  llvm::SmallVector<size_t, 8> membersOf(const plan::Group &group) const {
    llvm::SmallVector<size_t, 8> all;
    for (uint32_t rank : group.coordinates())
      if (size_t member = group.axis() == plan::TP ? rank : rank % ranks_.size(); !llvm::is_contained(all, member))
        all.push_back(member);
    return all;
  }

  bool isAt(size_t r, const plan::Group &wanted) const {
    return !isDone(r) && waitsForOthers(r) && group(r).axis() == wanted.axis() &&
           llvm::equal(group(r).coordinates(), wanted.coordinates());
  }

  /// Executes the collective at which a rank waits, if all its members have come to it.
  llvm::Error meet(size_t r, bool &hasMoved) {
    if (isDone(r)) return llvm::Error::success();
    const plan::Group &wanted = group(r);
    const auto all = membersOf(wanted);
    if (!llvm::all_of(all, [&](size_t m) { return isAt(m, wanted); })) return llvm::Error::success();
    std::vector<Member> members;
    for (size_t m : all)
      members.push_back({ranks_[m].get(), &step(m)});
    if (llvm::Error error = wanted.axis() == plan::WORLD ? collectiveOverAll(proof_, members, wanted)
                                                         : collectiveOverTp(proof_, members, wanted))
      return atStep(*members[0].rank, *members[0].step, std::move(error));
    for (size_t m : all)
      ++next_[m];
    hasMoved = true;
    return llvm::Error::success();
  }

  Proof &proof_;
  const TpRanks &ranks_;
  int section_;
  std::vector<int> next_; ///< step of each rank
};

} // namespace

llvm::Error walkSection(Proof &proof, const TpRanks &ranks, int section) { return Walk(proof, ranks, section).run(); }

} // namespace autotp

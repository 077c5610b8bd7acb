// compiler/certify/walk/section_walk.cpp: the steps of a section, on all tp ranks in lock-step.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "runtime/base/error.h"
#include "runtime/plan/check_world.h"
#include "runtime/plan/lock_step.h"

namespace autotp {
namespace {

llvm::Error checkAttributeNames(const plan::KernelCall &call) {
  for (int i = 0; i < call.attributes_size(); ++i)
    for (int j = 0; j < i; ++j)
      if (call.attributes(i).name() == call.attributes(j).name()) return refuse("it has an attribute twice");
  return llvm::Error::success();
}

/// Executes a kernel call, or a collective over dp, which waits for no other tp rank.
llvm::Error execute(TpRank &rank, const plan::Instruction &instruction) {
  if (llvm::Error error = checkOverlaps(rank, instruction)) return error;
  if (instruction.has_collective()) return collectiveOverDp(rank, instruction.collective());
  const plan::KernelCall &call = instruction.kernel();
  if (llvm::Error error = checkAttributeNames(call)) return error;
  rank.arena.forget(call.workspace_offset(), call.workspace_bytes());
  rank.proof.constants.useHints(rank.hints);
  return ruleOf(KernelId(call.kernel()))(rank, call);
}

llvm::Error atInstruction(const TpRank &rank, const plan::Instruction &instruction, llvm::Error error) {
  return placed(llvm::formatv("tp rank {0}, {1}, instruction '{2}' (from {3})", rank.number, rank.section,
                              escaped(instruction.name()), escaped(instruction.origin()))
                    .str(),
                std::move(error));
}

/// One section on all tp ranks.
class SectionWalk final : public LockStep {
public:
  SectionWalk(Proof &proof, const TpRanks &ranks, int section)
      : proof_(proof), ranks_(ranks), section_(section), next_(ranks.size(), 0) {}

private:
  llvm::Error advance(size_t r) override {
    for (; !isDone(r) && !isShared(ranks_[r]->program, instruction(r)); ++next_[r])
      if (llvm::Error error = execute(*ranks_[r], instruction(r)))
        return atInstruction(*ranks_[r], instruction(r), std::move(error));
    return llvm::Error::success();
  }
  bool isDone(size_t r) const override { return next_[r] == ranks_[r]->program.sections(section_).instructions_size(); }
  llvm::SmallVector<size_t, 8> members(size_t r) const override { return tpMembersOf(group(r), ranks_.size()); }
  bool isSameCollective(size_t r, size_t other) const override { return isSameGroup(group(r), group(other)); }

  llvm::Error meet(llvm::ArrayRef<size_t> all) override {
    const plan::Group &wanted = group(all[0]);
    std::vector<Member> members;
    for (size_t m : all) {
      if (llvm::Error error = checkOverlaps(*ranks_[m], instruction(m)))
        return atInstruction(*ranks_[m], instruction(m), std::move(error));
      members.push_back({ranks_[m].get(), &instruction(m)});
    }
    if (llvm::Error error = wanted.axis() == plan::WORLD ? collectiveOverAll(proof_, members, wanted)
                                                         : collectiveOverTp(proof_, members, wanted))
      return atInstruction(*members[0].rank, *members[0].instruction, std::move(error));
    for (size_t m : all)
      ++next_[m];
    return llvm::Error::success();
  }

  llvm::Error waitsForEver(size_t r) const override { // checkWorld has seen that no rank does
    return atInstruction(*ranks_[r], instruction(r), refuse("it waits for members of its group that never come"));
  }

  const plan::Instruction &instruction(size_t r) const {
    return ranks_[r]->program.sections(section_).instructions(next_[r]);
  }
  const plan::Group &group(size_t r) const {
    return ranks_[r]->program.groups(int(instruction(r).collective().group()));
  }

  Proof &proof_;
  const TpRanks &ranks_;
  int section_;
  std::vector<int> next_; ///< by tp rank: its next instruction
};

} // namespace

llvm::Error walkSection(Proof &proof, const TpRanks &ranks, int section) {
  return SectionWalk(proof, ranks, section).walk(ranks.size());
}

} // namespace autotp

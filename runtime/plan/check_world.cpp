#include "runtime/plan/check_world.h"

#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/lock_step.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

bool isShared(const plan::Program &program, const plan::Instruction &instruction) {
  return instruction.has_collective() && program.groups(int(instruction.collective().group())).axis() != plan::DP;
}

bool isSameGroup(const plan::Group &a, const plan::Group &b) {
  return a.axis() == b.axis() && llvm::equal(a.ranks(), b.ranks());
}

llvm::SmallVector<size_t, 8> tpMembersOf(const plan::Group &group, size_t tp) {
  llvm::SmallVector<size_t, 8> members;
  for (uint32_t c : group.ranks())
    if (size_t member = group.axis() == plan::TP ? c : c % tp; !llvm::is_contained(members, member))
      members.push_back(member);
  return members;
}

namespace {

/// One section of all programs, of which only the collectives matter.
class SectionCheck final : public LockStep {
public:
  SectionCheck(llvm::ArrayRef<const plan::Program *> byTp, int section)
      : byTp_(byTp), section_(section), next_(byTp.size(), 0) {}

private:
  llvm::Error advance(size_t rank) override {
    while (!isDone(rank) && !isShared(*byTp_[rank], instruction(rank)))
      ++next_[rank];
    if (isDone(rank) || llvm::is_contained(members(rank), rank)) return llvm::Error::success();
    return problem(nameOf(rank), "it is no member of its collective's group", "compile the plan again");
  }
  bool isDone(size_t rank) const override { return next_[rank] == byTp_[rank]->sections(section_).instructions_size(); }
  llvm::SmallVector<size_t, 8> members(size_t rank) const override { return tpMembersOf(group(rank), byTp_.size()); }
  bool isSameCollective(size_t rank, size_t other) const override { return isSameGroup(group(rank), group(other)); }

  llvm::Error meet(llvm::ArrayRef<size_t> members) override {
    for (size_t member : members)
      if (!isSameCall(instruction(member), instruction(members[0])))
        return problem(nameOf(members[0]), "it does not agree with " + nameOf(member), "compile the plan again");
    for (size_t member : members)
      ++next_[member];
    return llvm::Error::success();
  }

  llvm::Error waitsForEver(size_t rank) const override {
    return problem(nameOf(rank), "it waits for members of its group that never come", "compile the plan again");
  }

  static bool isSameCall(const plan::Instruction &a, const plan::Instruction &b) {
    const plan::Collective &x = a.collective(), &y = b.collective();
    return x.kind() == y.kind() && x.sequence() == y.sequence() && x.operand().dtype() == y.operand().dtype() &&
           llvm::equal(x.counts(), y.counts()) &&
           (x.counts_size() || elementsOf(x.operand()) == elementsOf(y.operand()));
  }

  const plan::Instruction &instruction(size_t rank) const {
    return byTp_[rank]->sections(section_).instructions(next_[rank]);
  }
  const plan::Group &group(size_t rank) const {
    return byTp_[rank]->groups(int(instruction(rank).collective().group()));
  }
  std::string nameOf(size_t rank) const {
    return "instruction '" + escaped(instruction(rank).name()) + "' of tp rank " + std::to_string(rank);
  }

  llvm::ArrayRef<const plan::Program *> byTp_;
  int section_;
  std::vector<int> next_; ///< by tp rank: its next instruction
};

} // namespace

llvm::Error checkWorld(llvm::ArrayRef<const plan::Program *> byTp) {
  for (int section = 0; section < byTp[0]->sections_size(); ++section) {
    for (const plan::Program *program : byTp)
      if (program->sections_size() != byTp[0]->sections_size())
        return problem("plan", "its programs have different sections", "compile the plan again");
    if (llvm::Error error = SectionCheck(byTp, section).walk(byTp.size())) return error;
  }
  return llvm::Error::success();
}

} // namespace autotp

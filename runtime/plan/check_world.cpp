#include "runtime/plan/check_world.h"

#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace autotp {
namespace {

/// One tp coordinate on its way from collective to collective of a section.
struct Walk {
  const plan::Program &program;
  const plan::Section &section;
  int next = 0;

  /// Past kernels, and collectives over dp: all replicas run this same program.
  void advance() {
    while (next < section.steps_size() && !waitsForOthers(section.steps(next)))
      ++next;
  }
  bool waitsForOthers(const plan::Step &step) const {
    return step.has_collective() && groupOf(step).axis() != plan::DP;
  }
  bool isDone() const { return next == section.steps_size(); }
  const plan::Step &step() const { return section.steps(next); }
  const plan::Group &groupOf(const plan::Step &step) const { return program.groups(int(step.collective().group())); }
};

/// The tp coordinates that take part.
llvm::SmallVector<size_t, 8> membersOf(const plan::Group &group, size_t tp) {
  llvm::SmallVector<size_t, 8> members;
  for (uint32_t c : group.coordinates())
    if (size_t member = group.axis() == plan::TP ? c : c % tp; !llvm::is_contained(members, member))
      members.push_back(member);
  return members;
}

bool isSameCall(const plan::Step &a, const plan::Step &b) {
  const plan::Collective &x = a.collective(), &y = b.collective();
  return x.kind() == y.kind() && x.sequence() == y.sequence() && x.operand().dtype() == y.operand().dtype() &&
         llvm::equal(x.counts(), y.counts()) && (x.counts_size() || elementsOf(x.operand()) == elementsOf(y.operand()));
}

std::string nameOf(const Walk &walk, size_t coordinate) {
  return "step '" + escaped(walk.step().name()) + "' of tp coordinate " + std::to_string(coordinate);
}

llvm::Error checkSection(llvm::MutableArrayRef<Walk> walks) {
  auto isSameGroup = [](const plan::Group &a, const plan::Group &b) {
    return a.axis() == b.axis() && llvm::equal(a.coordinates(), b.coordinates());
  };
  while (true) {
    bool moved = false, allDone = true;
    for (Walk &walk : walks)
      walk.advance();
    for (size_t c = 0; c < walks.size(); ++c) {
      if (walks[c].isDone()) continue;
      allDone = false;
      const plan::Group &group = walks[c].groupOf(walks[c].step());
      llvm::SmallVector<size_t, 8> members = membersOf(group, walks.size());
      if (!llvm::is_contained(members, c))
        return problem(nameOf(walks[c], c), "it is no member of its collective's group", "compile the plan again");
      auto isHere = [&](size_t m) {
        return !walks[m].isDone() && isSameGroup(walks[m].groupOf(walks[m].step()), group);
      };
      if (!llvm::all_of(members, isHere)) continue;
      for (size_t m : members)
        if (!isSameCall(walks[m].step(), walks[c].step()))
          return problem(nameOf(walks[c], c), "it does not agree with " + nameOf(walks[m], m),
                         "compile the plan again");
      for (size_t m : members)
        ++walks[m].next;
      moved = true;
      break;
    }
    if (allDone) return llvm::Error::success();
    if (moved) continue;
    for (size_t c = 0; c < walks.size(); ++c)
      if (!walks[c].isDone())
        return problem(nameOf(walks[c], c), "it waits for members of its group that never come",
                       "compile the plan again");
  }
}

} // namespace

llvm::Error checkWorld(llvm::ArrayRef<const plan::Program *> byTp) {
  for (int s = 0; s < byTp[0]->sections_size(); ++s) {
    std::vector<Walk> walks;
    for (const plan::Program *program : byTp) {
      if (program->sections_size() != byTp[0]->sections_size())
        return problem("plan", "its programs have different sections", "compile the plan again");
      walks.push_back({*program, program->sections(s)});
    }
    if (llvm::Error error = checkSection(walks)) return error;
  }
  return llvm::Error::success();
}

} // namespace autotp

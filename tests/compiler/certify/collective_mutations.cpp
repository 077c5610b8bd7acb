// Faults in collectives, and in what waits for them.
#include "tests/compiler/certify/mutation_places.h"

namespace autotp::test {
namespace {

bool dropCollective(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isCollective, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at))
    erase(programs, place);
  return true;
}

/// What it would have reduced or gathered is there all the same, as it was: more subtle than memory that is not
/// written.
bool replaceCollectiveByCopy(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto reduces = [](const plan::Step &step) {
    return step.has_collective() && step.collective().kind() <= plan::ALL_REDUCE_MAX &&
           step.collective().operand().dtype() == uint32_t(DType::F32);
  };
  if (!pick(programs, random, reduces, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Step &step = stepAt(programs, place);
    const plan::Collective c = step.collective();
    if (isSamePlace(c.operand(), c.result())) {
      erase(programs, place);
      continue;
    }
    plan::KernelCall &call = *step.mutable_kernel();
    call.set_kernel(uint32_t(KernelId::Copy));
    *call.add_operands() = c.operand();
    *call.add_results() = c.result();
  }
  return true;
}

bool doubleCollective(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isReduce = [](const plan::Step &step) {
    return step.has_collective() && step.collective().kind() == plan::ALL_REDUCE_SUM;
  };
  if (!pick(programs, random, isReduce, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Step again = stepAt(programs, place);
    *again.mutable_collective()->mutable_operand() = again.collective().result();
    insertBefore(programs, {place.program, place.section, place.step + 1}, again);
  }
  return true;
}

uint32_t groupOf(plan::Program &program, const plan::Group &wanted) {
  for (int g = 0; g < program.groups_size(); ++g)
    if (program.groups(g).SerializeAsString() == wanted.SerializeAsString()) return uint32_t(g);
  *program.add_groups() = wanted;
  return uint32_t(program.groups_size() - 1);
}

/// Each member alone, or over dp instead of tp and the reverse, or without one member.
bool wrongGroup(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isReduce = [](const plan::Step &step) {
    return step.has_collective() && step.collective().kind() <= plan::ALL_REDUCE_MAX;
  };
  if (!pick(programs, random, isReduce, at)) return false;
  where = textOf(programs, at);
  const plan::Group old = programs[at.program].groups(int(stepAt(programs, at).collective().group()));
  const size_t how = below(random, 3);
  std::vector<Place> places = everywhere(programs, at);
  for (const Place &place : places) {
    plan::Group group = old;
    const uint32_t own = uint32_t(place.program);
    if (how == 0 && old.axis() != plan::WORLD) {
      group.clear_coordinates();
      group.add_coordinates(old.axis() == plan::TP ? own : old.coordinates(0));
    } else if (how == 1 && old.coordinates_size() > 1) {
      group.mutable_coordinates()->RemoveLast();
      if (old.axis() == plan::TP && !llvm::is_contained(group.coordinates(), own)) {
        group.clear_coordinates();
        group.add_coordinates(own);
      }
    } else {
      group.set_axis(old.axis() == plan::TP ? plan::DP : plan::TP);
      const int size = group.axis() == plan::TP ? int(programs.size()) : 2;
      group.clear_coordinates();
      for (int c = 0; c < size; ++c)
        group.add_coordinates(uint32_t(c));
    }
    const uint32_t number = groupOf(programs[place.program], group);
    stepAt(programs, place).mutable_collective()->set_group(number);
  }
  return true;
}

bool wrongReduction(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isReduce = [](const plan::Step &step) {
    return step.has_collective() && step.collective().kind() <= plan::ALL_REDUCE_MAX;
  };
  if (!pick(programs, random, isReduce, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Collective &c = *stepAt(programs, place).mutable_collective();
    c.set_kind(c.kind() == plan::ALL_REDUCE_SUM ? plan::ALL_REDUCE_MAX : plan::ALL_REDUCE_SUM);
  }
  return true;
}

/// On one coordinate alone.
bool swapCollectives(Programs &programs, Random &random, std::string &where) {
  Place first;
  if (!pick(programs, random, isCollective, first)) return false;
  plan::Section &section = sectionAt(programs, first);
  for (int i = first.step + 1; i < section.steps_size(); ++i) {
    if (!section.steps(i).has_collective()) continue;
    where = textOf(programs, first);
    plan::Collective &a = *section.mutable_steps(first.step)->mutable_collective(),
                     &b = *section.mutable_steps(i)->mutable_collective();
    std::swap(a, b);
    return true;
  }
  return false;
}

bool swapGatheredParts(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isGather = [](const plan::Step &step) {
    return step.has_collective() && step.collective().kind() >= plan::REDUCE_SCATTER_SUM;
  };
  if (!pick(programs, random, isGather, at)) return false;
  plan::Group group = programs[at.program].groups(int(stepAt(programs, at).collective().group()));
  if (group.coordinates_size() < 2) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Group swapped = group;
    swapped.mutable_coordinates()->SwapElements(0, 1);
    stepAt(programs, place).mutable_collective()->set_group(groupOf(programs[place.program], swapped));
  }
  return true;
}

bool memberTwice(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isCollective, at)) return false;
  const plan::Group old = programs[at.program].groups(int(stepAt(programs, at).collective().group()));
  if (old.coordinates_size() < 2) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Group twice = old;
    twice.set_coordinates(old.coordinates_size() - 1, old.coordinates(0));
    stepAt(programs, place).mutable_collective()->set_group(groupOf(programs[place.program], twice));
  }
  return true;
}

bool dropWait(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(
          programs, random, [](const plan::Step &step) { return step.waits_size() > 0; }, at))
    return false;
  where = textOf(programs, at);
  stepAt(programs, at).mutable_waits()->RemoveLast();
  return true;
}

} // namespace

std::vector<MutationKind> collectiveMutations() {
  return {
      {"dropped collective", dropCollective},           {"collective that only copies", replaceCollectiveByCopy},
      {"doubled all-reduce", doubleCollective},         {"wrong group", wrongGroup},
      {"sum and maximum exchanged", wrongReduction},    {"collectives in another order", swapCollectives},
      {"members in another order", swapGatheredParts},  {"member twice", memberTwice},
      {"dropped wait", dropWait, /*keepsEvents=*/true},
  };
}

} // namespace autotp::test

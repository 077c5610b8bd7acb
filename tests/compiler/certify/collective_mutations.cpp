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
  auto reduces = [](const plan::Instruction &step) {
    return step.has_collective() && step.collective().kind() <= plan::ALL_REDUCE_MAX &&
           step.collective().operand().dtype() == uint32_t(DType::F32);
  };
  if (!pick(programs, random, reduces, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Instruction &step = stepAt(programs, place);
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
  auto isReduce = [](const plan::Instruction &step) {
    return step.has_collective() && step.collective().kind() == plan::ALL_REDUCE_SUM;
  };
  if (!pick(programs, random, isReduce, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Instruction again = stepAt(programs, place);
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
  auto isReduce = [](const plan::Instruction &step) {
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
      group.clear_ranks();
      group.add_ranks(old.axis() == plan::TP ? own : old.ranks(0));
    } else if (how == 1 && old.ranks_size() > 1) {
      group.mutable_ranks()->RemoveLast();
      if (old.axis() == plan::TP && !llvm::is_contained(group.ranks(), own)) {
        group.clear_ranks();
        group.add_ranks(own);
      }
    } else {
      group.set_axis(old.axis() == plan::TP ? plan::DP : plan::TP);
      const int size = group.axis() == plan::TP ? int(programs.size()) : 2;
      group.clear_ranks();
      for (int c = 0; c < size; ++c)
        group.add_ranks(uint32_t(c));
    }
    const uint32_t number = groupOf(programs[place.program], group);
    stepAt(programs, place).mutable_collective()->set_group(number);
  }
  return true;
}

bool wrongReduction(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isReduce = [](const plan::Instruction &step) {
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

/// On one tp rank alone.
bool swapCollectives(Programs &programs, Random &random, std::string &where) {
  Place first;
  if (!pick(programs, random, isCollective, first)) return false;
  plan::Section &section = sectionAt(programs, first);
  for (int i = first.step + 1; i < section.instructions_size(); ++i) {
    if (!section.instructions(i).has_collective()) continue;
    where = textOf(programs, first);
    plan::Collective &a = *section.mutable_instructions(first.step)->mutable_collective(),
                     &b = *section.mutable_instructions(i)->mutable_collective();
    std::swap(a, b);
    return true;
  }
  return false;
}

bool swapGatheredParts(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isGather = [](const plan::Instruction &step) {
    return step.has_collective() && step.collective().kind() >= plan::REDUCE_SCATTER_SUM;
  };
  if (!pick(programs, random, isGather, at)) return false;
  plan::Group group = programs[at.program].groups(int(stepAt(programs, at).collective().group()));
  if (group.ranks_size() < 2) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Group swapped = group;
    swapped.mutable_ranks()->SwapElements(0, 1);
    stepAt(programs, place).mutable_collective()->set_group(groupOf(programs[place.program], swapped));
  }
  return true;
}

bool memberTwice(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isCollective, at)) return false;
  const plan::Group old = programs[at.program].groups(int(stepAt(programs, at).collective().group()));
  if (old.ranks_size() < 2) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    plan::Group twice = old;
    twice.set_ranks(old.ranks_size() - 1, old.ranks(0));
    stepAt(programs, place).mutable_collective()->set_group(groupOf(programs[place.program], twice));
  }
  return true;
}

/// Gradients are summed, or parameters gathered, over dp where it should be all ranks, or the reverse; sizes fit.
bool dpForAllRanks(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto axisOf = [&](const Place &place) {
    return programs[place.program].groups(int(stepAt(programs, place).collective().group())).axis();
  };
  if (!pick(programs, random, isCollective, at) || axisOf(at) == plan::TP) return false;
  const plan::Collective model = stepAt(programs, at).collective();
  if (elementsOf(model.operand()) < 4) return false; // the loss, the norm
  where = textOf(programs, at);
  const bool wasDp = axisOf(at) == plan::DP;
  const uint32_t tp = uint32_t(programs.size());
  std::vector<Place> places;
  for (size_t p = 0; p < programs.size(); ++p) // over dp each tp rank has its own: the one at the same step
    if (wasDp) places.push_back({p, at.section, at.step});
  if (!wasDp) places = everywhere(programs, at);
  for (const Place &place : places) {
    if (place.step >= sectionAt(programs, place).instructions_size() || !isCollective(stepAt(programs, place)))
      return false;
    const plan::Group old = programs[place.program].groups(int(stepAt(programs, place).collective().group()));
    plan::Group group;
    group.set_axis(wasDp ? plan::WORLD : plan::DP);
    const uint32_t members = uint32_t(old.ranks_size());
    for (uint32_t c = 0; c < (wasDp ? members * tp : members / tp); ++c)
      group.add_ranks(c);
    const uint32_t number = groupOf(programs[place.program], group);
    plan::Collective &c = *stepAt(programs, place).mutable_collective();
    c.set_group(number);
    const bool isLess = (c.kind() == plan::ALL_GATHER) == wasDp; // of the operand, else of the result
    if (c.kind() <= plan::ALL_REDUCE_MAX) continue;
    plan::TensorRef &ref = isLess ? *c.mutable_operand() : *c.mutable_result();
    ref.set_shape(0, ref.shape(0) / tp);
  }
  return true;
}

bool isGather(const plan::Instruction &step) {
  return step.has_collective() && step.collective().kind() == plan::ALL_GATHER;
}

/// What another one gathers, where it is as much.
bool gatherOfAnother(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isGather, at)) return false;
  plan::TensorRef &operand = *stepAt(programs, at).mutable_collective()->mutable_operand();
  for (const plan::Instruction &other : sectionAt(programs, at).instructions()) {
    if (!isGather(other)) continue;
    const plan::TensorRef &ref = other.collective().operand();
    if (isSamePlace(ref, operand) || !isSameType(ref, operand)) continue;
    where = textOf(programs, at);
    moveTo(operand, ref);
    return true;
  }
  return false;
}

/// What is gathered lies a few elements beside it.
bool gatherBeside(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isGather, at)) return false;
  where = textOf(programs, at);
  plan::TensorRef &operand = *stepAt(programs, at).mutable_collective()->mutable_operand();
  operand.set_offset(operand.offset() + (operand.offset() && random() % 2 ? -4 : 4) * (1 + below(random, 16)));
  return true;
}

/// From one section into the other: a step early, or before what is gathered is updated.
bool gatherInOtherSection(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isGather, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at)) {
    const plan::Instruction step = stepAt(programs, place);
    erase(programs, place);
    const Place to{place.program, (place.section + 1) % programs[place.program].sections_size(), 0};
    insertBefore(programs, {to.program, to.section, random() % 2 ? 0 : sectionAt(programs, to).instructions_size()},
                 step);
  }
  return true;
}

/// Before or after another step of its section.
bool gatherAtAnotherTime(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isGather, at)) return false;
  where = textOf(programs, at);
  const plan::Instruction step = stepAt(programs, at);
  if (programs[at.program].groups(int(step.collective().group())).axis() != plan::DP) return false;
  erase(programs, at);
  insertBefore(programs,
               {at.program, at.section, int(below(random, size_t(sectionAt(programs, at).instructions_size())))}, step);
  return true;
}

bool dropWait(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(
          programs, random, [](const plan::Instruction &step) { return step.waits_size() > 0; }, at))
    return false;
  where = textOf(programs, at);
  stepAt(programs, at).mutable_waits()->RemoveLast();
  return true;
}

} // namespace

std::vector<MutationKind> collectiveMutations() {
  return {
      {"dropped collective", dropCollective},
      {"collective that only copies", replaceCollectiveByCopy},
      {"doubled all-reduce", doubleCollective},
      {"wrong group", wrongGroup},
      {"sum and maximum exchanged", wrongReduction},
      {"collectives in another order", swapCollectives},
      {"members in another order", swapGatheredParts},
      {"member twice", memberTwice},
      {"dp for all ranks", dpForAllRanks},
      {"gather of another bucket", gatherOfAnother},
      {"gather beside its part", gatherBeside},
      {"gather in another section", gatherInOtherSection},
      {"gather at another time", gatherAtAnotherTime},
      {"dropped wait", dropWait, /*mayCrash=*/false, /*keepsEvents=*/true},
  };
}

} // namespace autotp::test

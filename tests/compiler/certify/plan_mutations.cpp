#include "tests/compiler/certify/plan_mutations.h"

#include "passes/emit/order_queues.h"
#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/kernel_id.h"

#include "llvm/ADT/STLExtras.h"

#include <functional>
#include <map>

namespace autotp::test {
namespace {

using Random = std::mt19937;

uint64_t bytesOf(const plan::TensorRef &ref) { return uint64_t(elementsOf(ref)) * sizeOf(DType(ref.dtype())); }
bool isSameType(const plan::TensorRef &a, const plan::TensorRef &b) {
  return a.dtype() == b.dtype() && llvm::equal(a.shape(), b.shape());
}
bool isSamePlace(const plan::TensorRef &a, const plan::TensorRef &b) {
  return a.offset() == b.offset() && a.dp_stride() == b.dp_stride();
}
void moveTo(plan::TensorRef &ref, const plan::TensorRef &place) {
  ref.set_offset(place.offset());
  ref.set_dp_stride(place.dp_stride());
}

size_t below(Random &random, size_t n) { return size_t(random() % n); }

/// A step of a program.
struct Place {
  size_t program;
  int section, step;
};

using Wanted = std::function<bool(const plan::Step &)>;

plan::Step &stepAt(Programs &programs, const Place &at) {
  return *programs[at.program].mutable_sections(at.section)->mutable_steps(at.step);
}
plan::Section &sectionAt(Programs &programs, const Place &at) {
  return *programs[at.program].mutable_sections(at.section);
}

std::string textOf(Programs &programs, const Place &at) {
  const plan::Step &step = stepAt(programs, at);
  return "coordinate " + std::to_string(at.program) + " " + sectionAt(programs, at).name() + " " +
         std::to_string(at.step) + " '" + step.name() + "' " +
         (step.has_kernel() ? nameOf(KernelId(step.kernel().kernel())).str() : "collective");
}

bool pick(Programs &programs, Random &random, const Wanted &wanted, Place &at) {
  std::vector<Place> all;
  for (size_t p = 0; p < programs.size(); ++p)
    for (int s = 0; s < programs[p].sections_size(); ++s)
      for (int i = 0; i < programs[p].sections(s).steps_size(); ++i)
        if (wanted(programs[p].sections(s).steps(i))) all.push_back({p, s, i});
  if (all.empty()) return false;
  at = all[below(random, all.size())];
  return true;
}

bool isCollective(const plan::Step &step) { return step.has_collective(); }
bool isKernel(const plan::Step &step) { return step.has_kernel(); }
Wanted isKernelOf(std::vector<KernelId> kernels) {
  return [kernels](const plan::Step &step) {
    return step.has_kernel() && llvm::is_contained(kernels, KernelId(step.kernel().kernel()));
  };
}

/// The same collective on every coordinate that takes part: the n-th of its group there.
std::vector<Place> everywhere(Programs &programs, const Place &at) {
  auto groupText = [&](size_t p, const plan::Step &step) {
    return programs[p].groups(int(step.collective().group())).SerializeAsString();
  };
  const plan::Step &model = stepAt(programs, at);
  const plan::Group group = programs[at.program].groups(int(model.collective().group()));
  std::vector<Place> all;
  for (size_t p = 0; p < programs.size(); ++p) {
    const bool takesPart = group.axis() != plan::TP || llvm::is_contained(group.coordinates(), uint32_t(p));
    for (int i = 0; takesPart && i < programs[p].sections(at.section).steps_size(); ++i) {
      const plan::Step &step = programs[p].sections(at.section).steps(i);
      if (step.has_collective() && groupText(p, step) == groupText(at.program, model) &&
          step.collective().sequence() == model.collective().sequence())
        all.push_back({p, at.section, i});
    }
  }
  return all;
}

void erase(Programs &programs, const Place &at) {
  sectionAt(programs, at).mutable_steps()->DeleteSubrange(at.step, 1);
}
void insertBefore(Programs &programs, const Place &at, const plan::Step &step) {
  auto *steps = sectionAt(programs, at).mutable_steps();
  *steps->Add() = step;
  for (int i = steps->size() - 1; i > at.step; --i)
    steps->SwapElements(i, i - 1);
}

bool dropCollective(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isCollective, at)) return false;
  where = textOf(programs, at);
  for (const Place &place : everywhere(programs, at))
    erase(programs, place);
  return true;
}

/// What it would have reduced or gathered is there all the same, as it was: more subtle than memory that is not written.
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

bool dropKernel(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  where = textOf(programs, at);
  erase(programs, at);
  return true;
}

bool doubleKernel(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto inPlace = [](const plan::Step &step) {
    return step.has_kernel() && llvm::any_of(step.kernel().operands(), [&](const plan::TensorRef &operand) {
             return llvm::any_of(step.kernel().results(),
                                 [&](const plan::TensorRef &result) { return isSamePlace(operand, result); });
           });
  };
  if (!pick(programs, random, inPlace, at)) return false;
  where = textOf(programs, at);
  insertBefore(programs, at, plan::Step(stepAt(programs, at)));
  return true;
}

bool swapSteps(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  auto *steps = sectionAt(programs, at).mutable_steps();
  if (at.step + 1 >= steps->size()) return false;
  where = textOf(programs, at);
  steps->SwapElements(at.step, at.step + 1);
  return true;
}

bool moveStep(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  auto *steps = sectionAt(programs, at).mutable_steps();
  const int to = int(below(random, size_t(steps->size())));
  if (to == at.step) return false;
  where = textOf(programs, at);
  for (int i = at.step; i != to; i += to > i ? 1 : -1)
    steps->SwapElements(i, i + (to > i ? 1 : -1));
  return true;
}

bool swapOperands(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasTwo = [](const plan::Step &step) {
    return step.has_kernel() && step.kernel().operands_size() > 1 &&
           isSameType(step.kernel().operands(0), step.kernel().operands(1)) &&
           !isSamePlace(step.kernel().operands(0), step.kernel().operands(1));
  };
  if (!pick(programs, random, hasTwo, at)) return false;
  where = textOf(programs, at);
  stepAt(programs, at).mutable_kernel()->mutable_operands()->SwapElements(0, 1);
  return true;
}

/// Tensors of a section before a step.
std::vector<plan::TensorRef> tensorsBefore(const plan::Section &section, int end) {
  std::vector<plan::TensorRef> all;
  for (int i = 0; i < end; ++i)
    if (section.steps(i).has_kernel())
      for (const auto *list : {&section.steps(i).kernel().operands(), &section.steps(i).kernel().results()})
        all.insert(all.end(), list->begin(), list->end());
  return all;
}

/// Reads what lies where another tensor of the same type was.
bool staleOperand(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasOperand = [](const plan::Step &step) { return step.has_kernel() && step.kernel().operands_size(); };
  if (!pick(programs, random, hasOperand, at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  plan::TensorRef &operand = *call.mutable_operands(int(below(random, size_t(call.operands_size()))));
  std::vector<plan::TensorRef> others = tensorsBefore(sectionAt(programs, at), at.step);
  llvm::erase_if(others, [&](const plan::TensorRef &other) {
    return !isSameType(other, operand) || isSamePlace(other, operand);
  });
  if (others.empty()) return false;
  where = textOf(programs, at);
  moveTo(operand, others[below(random, others.size())]);
  return true;
}

/// Writes over what lies elsewhere; its readers follow it there.
bool overlappingResult(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  plan::Section &section = sectionAt(programs, at);
  plan::TensorRef old = stepAt(programs, at).kernel().results(0);
  std::vector<plan::TensorRef> others = tensorsBefore(section, section.steps_size());
  llvm::erase_if(others, [&](const plan::TensorRef &other) {
    return isSamePlace(other, old) || bytesOf(other) < bytesOf(old) || other.dp_stride() || bytesOf(old) == 0;
  });
  if (others.empty() || old.dp_stride()) return false;
  where = textOf(programs, at);
  const plan::TensorRef &to = others[below(random, others.size())];
  moveTo(*stepAt(programs, at).mutable_kernel()->mutable_results(0), to);
  for (int i = at.step + 1; i < section.steps_size(); ++i) {
    plan::Step &step = *section.mutable_steps(i);
    if (step.has_collective()) {
      if (isSamePlace(step.collective().operand(), old)) moveTo(*step.mutable_collective()->mutable_operand(), to);
      if (isSamePlace(step.collective().result(), old)) break;
      continue;
    }
    for (plan::TensorRef &operand : *step.mutable_kernel()->mutable_operands())
      if (isSamePlace(operand, old)) moveTo(operand, to);
    if (llvm::any_of(step.kernel().results(), [&](const plan::TensorRef &r) { return isSamePlace(r, old); })) break;
  }
  return true;
}

bool offByOneAddress(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasOperand = [](const plan::Step &step) { return step.has_kernel() && step.kernel().operands_size(); };
  if (!pick(programs, random, hasOperand, at)) return false;
  where = textOf(programs, at);
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  plan::TensorRef &operand = *call.mutable_operands(int(below(random, size_t(call.operands_size()))));
  const uint64_t size = sizeOf(DType(operand.dtype()));
  operand.set_offset(operand.offset() + (operand.offset() && random() % 2 ? -size : size));
  return true;
}

bool workspaceOverData(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasWorkspace = isKernelOf({KernelId::MatMul, KernelId::Attention, KernelId::AttentionGrad,
                                  KernelId::RmsNormGrad, KernelId::LayerNormGrad});
  if (!pick(programs, random, hasWorkspace, at)) return false;
  plan::Program &program = programs[at.program];
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  std::vector<plan::TensorRef> others = tensorsBefore(sectionAt(programs, at), at.step);
  llvm::erase_if(others, [&](const plan::TensorRef &t) {
    return t.offset() + call.workspace_bytes() > program.arena_bytes();
  });
  if (others.empty()) return false;
  where = textOf(programs, at);
  call.set_workspace_offset(others[below(random, others.size())].offset());
  return true;
}

plan::Attribute *attributeOf(plan::KernelCall &call, llvm::StringRef name) {
  for (plan::Attribute &attribute : *call.mutable_attributes())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

/// One integer of one attribute, by one.
bool offByOneAttribute(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto has = [](const plan::Step &step) {
    return step.has_kernel() && llvm::any_of(step.kernel().attributes(), [](const plan::Attribute &a) {
             return a.value_case() == plan::Attribute::kInteger || a.integers().values_size() > 0;
           });
  };
  if (!pick(programs, random, has, at)) return false;
  std::vector<int64_t *> numbers;
  std::vector<std::string> names;
  std::vector<plan::Attribute *> plain;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  for (plan::Attribute &a : *call.mutable_attributes()) {
    if (a.value_case() == plan::Attribute::kInteger) plain.push_back(&a);
    for (int i = 0; a.has_integers() && i < a.integers().values_size(); ++i)
      numbers.push_back(&(*a.mutable_integers()->mutable_values())[i]);
  }
  where = textOf(programs, at);
  const int64_t by = random() % 2 ? 1 : -1;
  const size_t which = below(random, plain.size() + numbers.size());
  if (which < plain.size())
    plain[which]->set_integer(plain[which]->integer() + by);
  else
    *numbers[which - plain.size()] += by;
  return true;
}

bool wrongOffset(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto looksUp = isKernelOf({KernelId::Gather, KernelId::ScatterAdd, KernelId::CrossEntropyLocal,
                             KernelId::CrossEntropyGrad, KernelId::Slice});
  if (!pick(programs, random, looksUp, at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  for (const char *name : {"offset", "class_offset", "start"})
    if (plan::Attribute *attribute = attributeOf(call, name)) {
      where = textOf(programs, at) + " " + name;
      attribute->set_integer(attribute->integer() + (random() % 2 ? 1 : -1));
      return true;
    }
  return false;
}

bool wrongReal(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto has = [](const plan::Step &step) {
    return step.has_kernel() && llvm::any_of(step.kernel().attributes(), [](const plan::Attribute &a) {
             return a.value_case() == plan::Attribute::kReal;
           });
  };
  if (!pick(programs, random, has, at)) return false;
  std::vector<plan::Attribute *> all;
  for (plan::Attribute &a : *stepAt(programs, at).mutable_kernel()->mutable_attributes())
    if (a.value_case() == plan::Attribute::kReal) all.push_back(&a);
  plan::Attribute &attribute = *all[below(random, all.size())];
  where = textOf(programs, at) + " " + attribute.name();
  attribute.set_real(attribute.real() * 0.5 + 0.01);
  return true;
}

/// On all coordinates alike: another number of them divides the gradients, or the loss.
bool wrongDivisor(Programs &programs, Random &random, std::string &where) {
  const KernelId kernel = random() % 2 ? KernelId::GradScale : KernelId::Div;
  for (plan::Program &program : programs)
    for (plan::Step &step : *program.mutable_sections(1)->mutable_steps()) {
      if (!step.has_kernel() || KernelId(step.kernel().kernel()) != kernel) continue;
      where = "optimizer_step '" + step.name() + "' on all coordinates";
      plan::KernelCall &call = *step.mutable_kernel();
      plan::TensorRef &divisor = *call.mutable_operands(1);
      for (const plan::Input &input : program.inputs())
        if (input.kind() == (random() % 2 ? plan::STEP : plan::LEARNING_RATE)) moveTo(divisor, input.tensor());
      for (const plan::TensorRef &zeroed : program.zeroed_each_step()) // the rank's own count
        if (random() % 2 && isSameType(zeroed, divisor)) moveTo(divisor, zeroed);
    }
  return !where.empty();
}

bool otherKernel(Programs &programs, Random &random, std::string &where) {
  static const std::map<KernelId, KernelId> kOthers = {
      {KernelId::Add, KernelId::Sub},       {KernelId::Sub, KernelId::Add},    {KernelId::Mul, KernelId::Div},
      {KernelId::Neg, KernelId::Abs},       {KernelId::Silu, KernelId::Relu},  {KernelId::ReduceSum, KernelId::ReduceMax},
      {KernelId::Swiglu, KernelId::Mul},    {KernelId::Div, KernelId::Mul},    {KernelId::Gelu, KernelId::Silu},
      {KernelId::Relu, KernelId::Silu},     {KernelId::Where, KernelId::Where}, {KernelId::ReduceMax, KernelId::ReduceSum},
      {KernelId::Accumulate, KernelId::Sub}};
  Place at;
  auto has = [](const plan::Step &step) {
    return step.has_kernel() && kOthers.count(KernelId(step.kernel().kernel()));
  };
  if (!pick(programs, random, has, at)) return false;
  where = textOf(programs, at);
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  call.set_kernel(uint32_t(kOthers.at(KernelId(call.kernel()))));
  return true;
}

/// {begins, ends} of a norm or of a decay: one segment less, or one end moved.
bool wrongSegment(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf({KernelId::SumSquares, KernelId::AdamW}), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  auto *begins = attributeOf(call, "begins")->mutable_integers()->mutable_values(),
       *ends = attributeOf(call, "ends")->mutable_integers()->mutable_values();
  if (begins->empty()) return false;
  where = textOf(programs, at);
  const int i = int(below(random, size_t(begins->size())));
  const int64_t begin = begins->Get(i), end = ends->Get(i);
  switch (below(random, 3)) {
  case 0:
    begins->erase(begins->begin() + i);
    ends->erase(ends->begin() + i);
    return true;
  case 1:
    ends->Set(i, begin + (end - begin) / 2);
    return end > begin;
  default:
    begins->Set(i, begin + (end - begin + 1) / 2);
    return end > begin;
  }
}

/// The states of another bucket, or the gradient of another, where it is as long.
bool wrongState(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernelOf({KernelId::AdamW}), at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  const int k = int(below(random, 4));
  for (const plan::Step &other : sectionAt(programs, at).steps()) {
    if (!other.has_kernel() || other.kernel().kernel() != call.kernel()) continue;
    const plan::TensorRef &ref = other.kernel().operands(k);
    if (isSamePlace(ref, call.operands(k)) || !isSameType(ref, call.operands(k))) continue;
    where = textOf(programs, at) + " operand " + std::to_string(k);
    moveTo(*call.mutable_operands(k), ref);
    if (k < 3) moveTo(*call.mutable_results(k), ref);
    return true;
  }
  return false;
}

bool coverOffByOne(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Parameter &parameter = *program.mutable_parameters(int(below(random, size_t(program.parameters_size()))));
  for (int d = 0; d < parameter.covers_size(); ++d) {
    plan::Cover &cover = *parameter.mutable_covers(d);
    if (cover.begins_size() == 0) continue;
    const int last = cover.ends_size() - 1;
    const bool mayGrow = cover.ends(last) < parameter.global_shape(d);
    if (!mayGrow && cover.begins(0) == 0) continue;
    for (int i = 0; i <= last; ++i) {
      cover.set_begins(i, cover.begins(i) + (mayGrow ? 1 : -1));
      cover.set_ends(i, cover.ends(i) + (mayGrow ? 1 : -1));
    }
    where = "cover of " + parameter.name();
    return true;
  }
  return false;
}

bool swapParameters(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Parameter &a = *program.mutable_parameters(int(below(random, size_t(program.parameters_size()))));
  for (plan::Parameter &b : *program.mutable_parameters())
    if (&a != &b && isSameType(a.tensor(), b.tensor()) && llvm::equal(a.global_shape(), b.global_shape())) {
      where = "tensors of " + a.name() + " and " + b.name();
      std::swap(*a.mutable_tensor(), *b.mutable_tensor());
      return true;
    }
  return false;
}

bool keepSums(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  if (program.zeroed_each_step_size() == 0) return false;
  const int i = int(below(random, size_t(program.zeroed_each_step_size())));
  where = "sums at " + std::to_string(program.zeroed_each_step(i).offset()) + " are not set to 0";
  program.mutable_zeroed_each_step()->DeleteSubrange(i, 1);
  return true;
}

bool wrongConstant(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  if (program.constants_size() == 0) return false;
  plan::Constant &constant = *program.mutable_constants(int(below(random, size_t(program.constants_size()))));
  std::string data = constant.data();
  const size_t size = sizeOf(DType(constant.tensor().dtype()));
  if (data.size() < size) return false;
  const size_t at = below(random, data.size() / size) * size + size - 1;
  data[at] = char(data[at] ^ (size == 1 ? 1 : 0x40));
  constant.set_data(data);
  where = "constant at " + std::to_string(constant.tensor().offset());
  return true;
}

bool wrongStride(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto isSliced = [](const plan::Step &step) {
    return step.has_kernel() && llvm::any_of(step.kernel().operands(),
                                             [](const plan::TensorRef &ref) { return ref.dp_stride() != 0; });
  };
  if (!pick(programs, random, isSliced, at)) return false;
  where = textOf(programs, at);
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  const uint64_t stride = random() % 2 ? 0 : 64;
  for (plan::TensorRef &ref : *call.mutable_operands())
    if (ref.dp_stride()) {
      const plan::TensorRef old = ref;
      ref.set_dp_stride(stride);
      for (plan::TensorRef &result : *call.mutable_results())
        if (isSamePlace(result, old)) result.set_dp_stride(stride);
      break;
    }
  return true;
}

bool wrongInput(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Input &a = *program.mutable_inputs(int(below(random, size_t(program.inputs_size()))));
  for (plan::Input &b : *program.mutable_inputs())
    if (&a != &b && isSameType(a.tensor(), b.tensor())) {
      where = "inputs " + a.name() + " and " + b.name();
      std::swap(*a.mutable_tensor(), *b.mutable_tensor());
      return true;
    }
  return false;
}

/// The runtime writes an input over something; what reads the input follows it.
bool inputOverData(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Input &input = *program.mutable_inputs(int(below(random, size_t(program.inputs_size()))));
  const plan::TensorRef old = input.tensor();
  std::vector<plan::TensorRef> others;
  for (const plan::Section &section : program.sections())
    for (const plan::TensorRef &ref : tensorsBefore(section, section.steps_size()))
      if (!isSamePlace(ref, old) && bytesOf(ref) >= bytesOf(old)) others.push_back(ref);
  if (others.empty()) return false;
  plan::TensorRef to = others[below(random, others.size())];
  to.set_dp_stride(0);
  where = "input " + input.name() + " at " + std::to_string(to.offset());
  moveTo(*input.mutable_tensor(), to);
  for (plan::Section &section : *program.mutable_sections())
    for (plan::Step &step : *section.mutable_steps())
      if (step.has_kernel())
        for (plan::TensorRef &operand : *step.mutable_kernel()->mutable_operands())
          if (isSamePlace(operand, old)) moveTo(operand, to);
  return true;
}

bool outputElsewhere(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Output &output = *program.mutable_outputs(int(below(random, size_t(program.outputs_size()))));
  std::vector<plan::TensorRef> others = tensorsBefore(program.sections(1), program.sections(1).steps_size());
  llvm::erase_if(others, [&](const plan::TensorRef &ref) {
    return ref.dtype() != output.tensor().dtype() || isSamePlace(ref, output.tensor());
  });
  if (others.empty()) return false;
  where = "output " + output.name();
  moveTo(*output.mutable_tensor(), others[below(random, others.size())]);
  return true;
}

bool dimensionsExchanged(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasMatrix = [](const plan::Step &step) {
    return step.has_kernel() && llvm::any_of(step.kernel().operands(), [](const plan::TensorRef &ref) {
             return ref.shape_size() > 1 && ref.shape(0) != ref.shape(1);
           });
  };
  if (!pick(programs, random, hasMatrix, at)) return false;
  where = textOf(programs, at);
  for (plan::TensorRef &ref : *stepAt(programs, at).mutable_kernel()->mutable_operands())
    if (ref.shape_size() > 1 && ref.shape(0) != ref.shape(1)) {
      ref.mutable_shape()->SwapElements(0, 1);
      return true;
    }
  return false;
}

bool programsExchanged(Programs &programs, Random &random, std::string &where) {
  if (programs.size() < 2) return false;
  const size_t a = below(random, programs.size()), b = (a + 1) % programs.size();
  where = "coordinates " + std::to_string(a) + " and " + std::to_string(b);
  std::swap(programs[a], programs[b]);
  return true;
}

/// One coordinate does what another does: its part is there twice, its own not at all.
bool programTwice(Programs &programs, Random &random, std::string &where) {
  if (programs.size() < 2) return false;
  const size_t a = below(random, programs.size()), b = (a + 1) % programs.size();
  where = "coordinate " + std::to_string(b) + " is coordinate " + std::to_string(a) + " again";
  programs[b] = programs[a];
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

bool wrongGradientPlace(Programs &programs, Random &random, std::string &where) {
  plan::Program &program = programs[below(random, programs.size())];
  plan::Parameter &parameter = *program.mutable_parameters(int(below(random, size_t(program.parameters_size()))));
  where = "gradient of " + parameter.name();
  parameter.set_bucket_begin(parameter.bucket_begin() + 1);
  return true;
}

bool dropWait(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, [](const plan::Step &step) { return step.waits_size() > 0; }, at)) return false;
  where = textOf(programs, at);
  stepAt(programs, at).mutable_waits()->RemoveLast();
  return true;
}

} // namespace

const std::vector<MutationKind> &mutationKinds() {
  static const std::vector<MutationKind> kinds = {
      {"dropped collective", dropCollective},
      {"collective that only copies", replaceCollectiveByCopy},
      {"doubled all-reduce", doubleCollective},
      {"wrong group", wrongGroup},
      {"sum and maximum exchanged", wrongReduction},
      {"collectives in another order", swapCollectives},
      {"members in another order", swapGatheredParts},
      {"dropped kernel", dropKernel},
      {"doubled kernel", doubleKernel},
      {"neighbours exchanged", swapSteps},
      {"step elsewhere", moveStep},
      {"operands exchanged", swapOperands},
      {"stale operand", staleOperand},
      {"overlapping result", overlappingResult},
      {"address off by one", offByOneAddress},
      {"workspace over data", workspaceOverData},
      {"attribute off by one", offByOneAttribute},
      {"slice or lookup off by one", wrongOffset},
      {"wrong number", wrongReal},
      {"wrong divisor", wrongDivisor},
      {"other kernel", otherKernel},
      {"wrong segment", wrongSegment},
      {"wrong state", wrongState},
      {"cover off by one", coverOffByOne},
      {"parameters exchanged", swapParameters},
      {"sums kept", keepSums},
      {"wrong constant", wrongConstant},
      {"wrong stride over dp", wrongStride},
      {"inputs exchanged", wrongInput},
      {"gradient elsewhere", wrongGradientPlace},
      {"input over data", inputOverData},
      {"output elsewhere", outputElsewhere},
      {"dimensions exchanged", dimensionsExchanged},
      {"coordinates exchanged", programsExchanged},
      {"coordinate twice", programTwice},
      {"member twice", memberTwice},
      {"dropped wait", dropWait, /*keepsEvents=*/true},
  };
  return kinds;
}

void orderAnew(Programs &programs, int64_t dp) {
  for (plan::Program &program : programs) {
    for (plan::Section &section : *program.mutable_sections()) {
      std::map<uint32_t, uint64_t> next;
      for (plan::Step &step : *section.mutable_steps()) {
        step.clear_waits();
        step.clear_signals();
        if (step.has_collective()) step.mutable_collective()->set_sequence(next[step.collective().group()]++);
      }
    }
    orderQueues(program, dp);
  }
}

} // namespace autotp::test

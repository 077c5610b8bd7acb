// Faults in kernels: which there are, what they read and write, their attributes.
#include "tests/compiler/certify/mutation_places.h"

#include <map>

namespace autotp::test {
namespace {

bool dropKernel(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  where = textOf(programs, at);
  erase(programs, at);
  return true;
}

bool doubleKernel(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto inPlace = [](const plan::Instruction &step) {
    return step.has_kernel() && llvm::any_of(step.kernel().operands(), [&](const plan::TensorRef &operand) {
             return llvm::any_of(step.kernel().results(),
                                 [&](const plan::TensorRef &result) { return isSamePlace(operand, result); });
           });
  };
  if (!pick(programs, random, inPlace, at)) return false;
  where = textOf(programs, at);
  insertBefore(programs, at, plan::Instruction(stepAt(programs, at)));
  return true;
}

bool swapSteps(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  auto *steps = sectionAt(programs, at).mutable_instructions();
  if (at.step + 1 >= steps->size()) return false;
  where = textOf(programs, at);
  steps->SwapElements(at.step, at.step + 1);
  return true;
}

bool moveStep(Programs &programs, Random &random, std::string &where) {
  Place at;
  if (!pick(programs, random, isKernel, at)) return false;
  auto *steps = sectionAt(programs, at).mutable_instructions();
  const int to = int(below(random, size_t(steps->size())));
  if (to == at.step) return false;
  where = textOf(programs, at);
  for (int i = at.step; i != to; i += to > i ? 1 : -1)
    steps->SwapElements(i, i + (to > i ? 1 : -1));
  return true;
}

bool swapOperands(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasTwo = [](const plan::Instruction &step) {
    return step.has_kernel() && step.kernel().operands_size() > 1 &&
           isSameType(step.kernel().operands(0), step.kernel().operands(1)) &&
           !isSamePlace(step.kernel().operands(0), step.kernel().operands(1));
  };
  if (!pick(programs, random, hasTwo, at)) return false;
  where = textOf(programs, at);
  stepAt(programs, at).mutable_kernel()->mutable_operands()->SwapElements(0, 1);
  return true;
}

/// Reads what lies where another tensor of the same type was.
bool staleOperand(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasOperand = [](const plan::Instruction &step) { return step.has_kernel() && step.kernel().operands_size(); };
  if (!pick(programs, random, hasOperand, at)) return false;
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  plan::TensorRef &operand = *call.mutable_operands(int(below(random, size_t(call.operands_size()))));
  std::vector<plan::TensorRef> others = tensorsBefore(sectionAt(programs, at), at.step);
  llvm::erase_if(
      others, [&](const plan::TensorRef &other) { return !isSameType(other, operand) || isSamePlace(other, operand); });
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
  std::vector<plan::TensorRef> others = tensorsBefore(section, section.instructions_size());
  llvm::erase_if(others, [&](const plan::TensorRef &other) {
    return isSamePlace(other, old) || bytesOf(other) < bytesOf(old) || other.dp_stride() || bytesOf(old) == 0;
  });
  if (others.empty() || old.dp_stride()) return false;
  where = textOf(programs, at);
  const plan::TensorRef &to = others[below(random, others.size())];
  moveTo(*stepAt(programs, at).mutable_kernel()->mutable_results(0), to);
  for (int i = at.step + 1; i < section.instructions_size(); ++i) {
    plan::Instruction &step = *section.mutable_instructions(i);
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
  auto hasOperand = [](const plan::Instruction &step) { return step.has_kernel() && step.kernel().operands_size(); };
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
  auto hasWorkspace = isKernelOf(
      {KernelId::MatMul, KernelId::Attention, KernelId::AttentionGrad, KernelId::RmsNormGrad, KernelId::LayerNormGrad});
  if (!pick(programs, random, hasWorkspace, at)) return false;
  plan::Program &program = programs[at.program];
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  std::vector<plan::TensorRef> others = tensorsBefore(sectionAt(programs, at), at.step);
  llvm::erase_if(others,
                 [&](const plan::TensorRef &t) { return t.offset() + call.workspace_bytes() > program.arena_bytes(); });
  if (others.empty()) return false;
  where = textOf(programs, at);
  call.set_workspace_offset(others[below(random, others.size())].offset());
  return true;
}

/// One integer of one attribute, by one.
bool offByOneAttribute(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto has = [](const plan::Instruction &step) {
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
  auto has = [](const plan::Instruction &step) {
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

bool otherKernel(Programs &programs, Random &random, std::string &where) {
  static const std::map<KernelId, KernelId> kOthers = {
      {KernelId::Add, KernelId::Sub},       {KernelId::Sub, KernelId::Add},
      {KernelId::Mul, KernelId::Div},       {KernelId::Neg, KernelId::Abs},
      {KernelId::Silu, KernelId::Relu},     {KernelId::ReduceSum, KernelId::ReduceMax},
      {KernelId::Swiglu, KernelId::Mul},    {KernelId::Div, KernelId::Mul},
      {KernelId::Gelu, KernelId::Silu},     {KernelId::Relu, KernelId::Silu},
      {KernelId::Where, KernelId::Where},   {KernelId::ReduceMax, KernelId::ReduceSum},
      {KernelId::Accumulate, KernelId::Sub}};
  Place at;
  auto has = [](const plan::Instruction &step) {
    return step.has_kernel() && kOthers.count(KernelId(step.kernel().kernel()));
  };
  if (!pick(programs, random, has, at)) return false;
  where = textOf(programs, at);
  plan::KernelCall &call = *stepAt(programs, at).mutable_kernel();
  call.set_kernel(uint32_t(kOthers.at(KernelId(call.kernel()))));
  return true;
}

bool dimensionsExchanged(Programs &programs, Random &random, std::string &where) {
  Place at;
  auto hasMatrix = [](const plan::Instruction &step) {
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

} // namespace

std::vector<MutationKind> stepMutations() {
  return {
      {"dropped kernel", dropKernel},
      {"doubled kernel", doubleKernel},
      {"neighbours exchanged", swapSteps},
      {"step elsewhere", moveStep},
      {"operands exchanged", swapOperands},
      {"stale operand", staleOperand},
      {"overlapping result", overlappingResult},
      {"address off by one", offByOneAddress},
      {"workspace over data", workspaceOverData, /*mayCrash=*/true},
      {"attribute off by one", offByOneAttribute},
      {"slice or lookup off by one", wrongOffset},
      {"wrong number", wrongReal},
      {"other kernel", otherKernel},
      {"dimensions exchanged", dimensionsExchanged},
  };
}

} // namespace autotp::test

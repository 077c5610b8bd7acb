/// \file Finding and changing places in plans: what the kinds of faults share.
#pragma once

#include "runtime/plan/check_program.h"
#include "runtime/plan/dtype.h"
#include "runtime/plan/kernels/kernel_id.h"
#include "tests/compiler/certify/plan_mutations.h"

#include "llvm/ADT/STLExtras.h"

#include <functional>

namespace autotp::test {

using Random = std::mt19937;

inline uint64_t bytesOf(const plan::TensorRef &ref) { return uint64_t(elementsOf(ref)) * sizeOf(DType(ref.dtype())); }
inline bool isSameType(const plan::TensorRef &a, const plan::TensorRef &b) {
  return a.dtype() == b.dtype() && llvm::equal(a.shape(), b.shape());
}
inline bool isSamePlace(const plan::TensorRef &a, const plan::TensorRef &b) {
  return a.offset() == b.offset() && a.dp_stride() == b.dp_stride();
}
inline void moveTo(plan::TensorRef &ref, const plan::TensorRef &place) {
  ref.set_offset(place.offset());
  ref.set_dp_stride(place.dp_stride());
}

inline size_t below(Random &random, size_t n) { return size_t(random() % n); }

/// A step of a program.
struct Place {
  size_t program;
  int section, step;
};

using Wanted = std::function<bool(const plan::Instruction &)>;

inline plan::Instruction &stepAt(Programs &programs, const Place &at) {
  return *programs[at.program].mutable_sections(at.section)->mutable_instructions(at.step);
}
inline plan::Section &sectionAt(Programs &programs, const Place &at) {
  return *programs[at.program].mutable_sections(at.section);
}

inline plan::Section &sectionOf(plan::Program &program, llvm::StringRef name) {
  return *llvm::find_if(*program.mutable_sections(), [&](const plan::Section &one) { return one.name() == name; });
}
inline plan::Section &optimizerStep(plan::Program &program) { return sectionOf(program, "optimizer_step"); }
inline const plan::Section &optimizerStep(const plan::Program &program) {
  return *llvm::find_if(program.sections(), [](const plan::Section &one) { return one.name() == "optimizer_step"; });
}
inline plan::Section &microStep(plan::Program &program) { return sectionOf(program, "micro_step"); }

inline std::string textOf(Programs &programs, const Place &at) {
  const plan::Instruction &step = stepAt(programs, at);
  return "tp rank " + std::to_string(at.program) + " " + sectionAt(programs, at).name() + " " +
         std::to_string(at.step) + " '" + step.name() + "' " +
         (step.has_kernel() ? nameOf(KernelId(step.kernel().kernel())).str() : "collective");
}

inline bool pick(Programs &programs, Random &random, const Wanted &wanted, Place &at) {
  std::vector<Place> all;
  for (size_t p = 0; p < programs.size(); ++p)
    for (int s = 0; s < programs[p].sections_size(); ++s)
      for (int i = 0; i < programs[p].sections(s).instructions_size(); ++i)
        if (wanted(programs[p].sections(s).instructions(i))) all.push_back({p, s, i});
  if (all.empty()) return false;
  at = all[below(random, all.size())];
  return true;
}

inline bool isCollective(const plan::Instruction &step) { return step.has_collective(); }
inline bool isKernel(const plan::Instruction &step) { return step.has_kernel(); }
inline Wanted isKernelOf(std::vector<KernelId> kernels) {
  return [kernels](const plan::Instruction &step) {
    return step.has_kernel() && llvm::is_contained(kernels, KernelId(step.kernel().kernel()));
  };
}

/// The same collective on every tp rank that takes part: the n-th of its group there.
inline std::vector<Place> everywhere(Programs &programs, const Place &at) {
  auto groupText = [&](size_t p, const plan::Instruction &step) {
    return programs[p].groups(int(step.collective().group())).SerializeAsString();
  };
  const plan::Instruction &model = stepAt(programs, at);
  const plan::Group group = programs[at.program].groups(int(model.collective().group()));
  std::vector<Place> all;
  for (size_t p = 0; p < programs.size(); ++p) {
    const bool takesPart = group.axis() != plan::TP || llvm::is_contained(group.ranks(), uint32_t(p));
    for (int i = 0; takesPart && i < programs[p].sections(at.section).instructions_size(); ++i) {
      const plan::Instruction &step = programs[p].sections(at.section).instructions(i);
      if (step.has_collective() && groupText(p, step) == groupText(at.program, model) &&
          step.collective().sequence() == model.collective().sequence())
        all.push_back({p, at.section, i});
    }
  }
  return all;
}

inline void erase(Programs &programs, const Place &at) {
  sectionAt(programs, at).mutable_instructions()->DeleteSubrange(at.step, 1);
}
inline void insertBefore(Programs &programs, const Place &at, const plan::Instruction &step) {
  auto *steps = sectionAt(programs, at).mutable_instructions();
  *steps->Add() = step;
  for (int i = steps->size() - 1; i > at.step; --i)
    steps->SwapElements(i, i - 1);
}

/// Tensors of a section before a step.
inline std::vector<plan::TensorRef> tensorsBefore(const plan::Section &section, int end) {
  std::vector<plan::TensorRef> all;
  for (int i = 0; i < end; ++i)
    if (section.instructions(i).has_kernel())
      for (const auto *list :
           {&section.instructions(i).kernel().operands(), &section.instructions(i).kernel().results()})
        all.insert(all.end(), list->begin(), list->end());
  return all;
}

inline plan::Attribute *attributeOf(plan::KernelCall &call, llvm::StringRef name) {
  for (plan::Attribute &attribute : *call.mutable_attributes())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

} // namespace autotp::test

// compiler/certify/walk/evaluation.cpp: what an evaluation must leave behind, and what it must not touch.
#include "compiler/certify/refusal.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// Says whether each dp rank's bytes of a tensor lie in a region of values that do not outlive a section.
bool isInScratch(const TpRank &rank, const plan::TensorRef &ref) {
  const uint64_t last = ref.offset() + ref.dp_stride() * uint64_t(rank.proof.options.dp - 1) + bytesOf(ref);
  return llvm::any_of(rank.program.regions(), [&](const plan::Region &region) {
    return isScratch(region) && ref.offset() >= region.offset() && last <= region.offset() + region.bytes();
  });
}

bool isSamePlace(const plan::TensorRef &a, const plan::TensorRef &b) {
  return a.offset() == b.offset() && a.dp_stride() == b.dp_stride() && bytesOf(a) == bytesOf(b);
}

/// An evaluation changes nothing that training goes on with: it writes its own values, and the sums that each step begins
/// anew.
llvm::Error checkWrites(const TpRank &rank, const plan::Section &section,
                        llvm::ArrayRef<const plan::TensorRef *> sums) {
  for (const plan::Instruction &instruction : section.instructions()) {
    std::vector<const plan::TensorRef *> results;
    if (instruction.has_collective()) results.push_back(&instruction.collective().result());
    for (const plan::TensorRef &result : instruction.kernel().results())
      results.push_back(&result);
    for (const plan::TensorRef *result : results)
      if (bytesOf(*result) && !isInScratch(rank, *result) &&
          llvm::none_of(sums, [&](const plan::TensorRef *sum) { return isSamePlace(*sum, *result); }))
        return refuse("instruction '" + escaped(instruction.name()) + "' writes what outlives an evaluation");
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error checkEvaluation(TpRank &rank, const plan::Section &section) {
  Proof &proof = rank.proof;
  std::vector<const plan::TensorRef *> sums;
  for (const auto &sum : {std::pair("loss_sum", &proof.lossSum), std::pair("count", &proof.count)}) {
    const char *name = sum.first;
    auto output = llvm::find_if(rank.program.outputs(), [&](const plan::Output &o) { return o.name() == name; });
    if (output == rank.program.outputs().end()) return refuse(llvm::Twine("the program yields no ") + name);
    llvm::Expected<const Content *> held = rank.read(output->tensor());
    if (!held) return held.takeError();
    if (!*held || !proof.isRankSum(**held, *sum.second))
      return refuse(llvm::Twine("output '") + name + "' is another value");
    sums.push_back(&output->tensor());
  }
  return checkWrites(rank, section, sums);
}

} // namespace autotp

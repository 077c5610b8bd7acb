#include "compiler/certify/rules/squares.h"

#include "compiler/certify/refusal.h"
#include "compiler/certify/state/proof.h"
#include "runtime/base/error.h"

#include <map>

namespace autotp {
namespace {

using Boxes = std::map<RootId, std::vector<Lists>>; ///< by parameter

/// Adds the boxes of a member.
llvm::Error addMember(const Proof &proof, const SumOfSquares &sum, bool overDp, Boxes &boxes) {
  llvm::SmallVector<const SumOfSquares *, 8> open = {&sum};
  while (!open.empty()) {
    const SumOfSquares &next = *open.pop_back_val();
    if (next.addends[0]) {
      open.append({next.addends[1]->as<SumOfSquares>(), next.addends[0]->as<SumOfSquares>()});
      continue;
    }
    if (proof.options.dp > 1 && next.isSliced != overDp)
      return refuse(next.isSliced ? "slices are not added over dp" : "what every dp rank has is added over dp");
    for (const SumOfSquares::Counted &counted : next.counted)
      boxes[counted.parameter].push_back(counted.elements);
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error checkEachCountsOnce(Proof &proof, llvm::ArrayRef<const Content *> members, bool overDp) {
  Boxes boxes;
  for (const Content *content : members) {
    const auto *sum = content->as<SumOfSquares>();
    if (!sum) return refuse("what is added to the norm is " + proof.symbols.text(*content));
    if (llvm::Error error = addMember(proof, *sum, overDp, boxes)) return error;
  }
  for (const auto &row : proof.parameters) {
    const Lists whole = proof.symbols.wholes(row.second.type.shape);
    if (llvm::Error error = proof.symbols.contributions.checkTiling(boxes[row.second.root], whole, Partial::Sum))
      return refuse("in the norm, of the gradient of '" + escaped(row.first()) + "', ", std::move(error));
  }
  return llvm::Error::success();
}

} // namespace autotp

#include "passes/partition/reduce_within.h"

#include "compiler/ops/fused.h"
#include "runtime/base/indexed.h"

namespace autotp {

llvm::SmallVector<ValueId, 3> writeFormula(Builder &b, const OpDef &row, llvm::ArrayRef<ValueId> operands,
                                           const Attributes &attributes, const RankGroup &group,
                                           CountedOnce countedOnce) {
  Types types;
  for (ValueId operand : operands)
    types.push_back(b.graph.type(operand));
  llvm::SmallVector<ValueId, 8> known(operands.begin(), operands.end());
  llvm::SmallVector<ValueId, 3> results;
  for (auto [i, step] : indexed(llvm::cantFail(typedOps(row.formula, types, attributes, {})))) {
    llvm::SmallVector<ValueId, 3> own;
    for (unsigned operand : step.operands)
      own.push_back(known[operand]);
    const Reduction how = row.formula[i].reduce;
    // What must be added once is 0 on other ranks: the operand of a sum, or the sums themselves.
    const bool isLinear = step.row->hasLinear(0);
    if (how == Reduction::Sum && isLinear) own[0] = countedOnce(own[0]);
    auto made = b.makeMany(step.row->name, own, step.attributes);
    results.assign(made.begin(), made.end());
    if (how == Reduction::Sum && !isLinear) results[0] = countedOnce(results[0]);
    if (how != Reduction::None) results[0] = allReduce(b, results[0], group, how);
    known.push_back(results[0]);
  }
  return results;
}

} // namespace autotp

#include "passes/partition/reduce_within.h"

#include "compiler/ops/fused.h"
#include "runtime/base/indexed.h"

namespace autotp {

static ValueId allReduce(Builder &b, ValueId value, const Group &group, llvm::StringRef how) {
  return b.make("all_reduce", {value}, {{"axis", std::string("tp")}, {"group", group}, {"reduce", how.str()}});
}

ValueId writeFormula(Builder &b, const Node &node, llvm::ArrayRef<ValueId> operands, const Group &group,
                     CountedOnce countedOnce) {
  Types types;
  for (ValueId operand : operands)
    types.push_back(b.graph.type(operand));
  llvm::SmallVector<ValueId, 8> known(operands.begin(), operands.end());
  const llvm::ArrayRef<FusedOp> formula = opOf(node).formula;
  for (auto [i, step] : indexed(llvm::cantFail(typedOps(formula, types, node.attributes, {})))) {
    llvm::SmallVector<ValueId, 2> own;
    for (unsigned operand : step.operands)
      own.push_back(known[operand]);
    const llvm::StringRef reduce = formula[i].reduce ? formula[i].reduce : "";
    if (reduce == "sum") own[0] = countedOnce(own[0]);
    const ValueId made = b.make(step.row->name, own, step.attributes);
    known.push_back(reduce.empty() ? made : allReduce(b, made, group, reduce));
  }
  return known.back();
}

llvm::SmallVector<ValueId, 3> writeCrossEntropy(Builder &b, llvm::ArrayRef<ValueId> operands,
                                                const Attributes &attributes, int64_t classes, const Group &group,
                                                CountedOnce countedOnce) {
  const ValueId logits = operands[0], labels = operands[1];
  const llvm::SmallVector<int64_t, 6> rows = {1};
  const ValueId own = b.make("reduce_max", {logits}, {{"axes", rows}, {"keepdims", int64_t(0)}});
  const ValueId largest = allReduce(b, own, group, "max");
  Attributes local = attributes;
  local.set("classes", classes);
  const ValueId sums =
      allReduce(b, countedOnce(b.make("cross_entropy_local", {logits, labels, largest}, local)), group, "sum");
  auto all = b.makeMany("cross_entropy_finish", {sums, largest, labels},
                        {{"ignore_index", attributes.integer("ignore_index", -100)}});
  return {all.begin(), all.end()};
}

} // namespace autotp

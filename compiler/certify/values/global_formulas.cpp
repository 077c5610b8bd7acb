// compiler/certify/values/global_formulas.cpp: other computations of the same values, which a sharded plan may contain.
#include "compiler/certify/values/global_values.h"
#include "compiler/ops/fused.h"
#include "runtime/base/indexed.h"

namespace autotp {

/// An operator that runs over all of an index may be computed by its formula. If the graph has that, too, both are one
/// value.
void GlobalValues::addFormula(GlobalNode &whole) {
  Types types;
  for (const GlobalOperand &operand : whole.operands)
    types.push_back(operand.type);
  std::vector<GlobalOperand> values(whole.operands.begin(), whole.operands.end());
  const auto steps = llvm::cantFail(typedOps(whole.row->formula, types, *whole.attributes, {}));
  for (auto [i, step] : indexed(steps)) {
    GlobalNode node;
    node.row = step.row;
    node.attributes = &attributes_.emplace_back(step.attributes);
    node.origin = whole.origin;
    for (unsigned operand : step.operands)
      node.operands.push_back(values[operand]);
    node.resultTypes = {step.result};
    const bool isLast = i + 1 == steps.size();
    if (isLast) node.results = whole.results;
    const GlobalNode &known = number(std::move(node), "what " + std::string(whole.row->name) + " computes");
    if (isLast) whole.results = known.results;
    values.push_back(this->whole(known.results[0]));
  }
}

/// cross_entropy over sharded classes is computed in three steps (kernels.def): the rows' maxima, then sums of exponentials
/// and the targets' logits, then the results of the whole operator.
void GlobalValues::addShardedLoss(const GlobalNode &loss) {
  const Type &rows = loss.resultTypes[2];
  const llvm::SmallVector<int64_t, 6> classes = {1};
  const Attributes ignored = {{"ignore_index", loss.attributes->integer("ignore_index", -100)}};
  auto step = [&](const char *op, Attributes attributes) {
    GlobalNode node;
    node.row = findOp(op);
    node.attributes = &attributes_.emplace_back(std::move(attributes));
    node.origin = loss.origin;
    return node;
  };
  GlobalNode largest = step("reduce_max", {{"axes", classes}, {"keepdims", int64_t(0)}});
  largest.operands = {loss.operands[0]};
  largest.resultTypes = {Type{loss.operands[0].type.dtype, rows.shape}};
  const RootId maximum = number(largest, "the maximum of each row").results[0];
  GlobalNode sums = step("cross_entropy_local", ignored);
  sums.operands = {loss.operands[0], loss.operands[1], whole(maximum)};
  sums.resultTypes = {Type{rows.dtype, {2, rows.shape[0]}}};
  const RootId summed = number(sums, "the sums of each row").results[0];
  GlobalNode finish = step("cross_entropy_finish", ignored);
  finish.operands = {whole(summed), whole(maximum), loss.operands[1]};
  finish.results = loss.results;
  finish.resultTypes = loss.resultTypes;
  number(finish, "");
}

} // namespace autotp

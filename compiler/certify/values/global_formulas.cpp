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
    node.resultTypes.assign(step.results.begin(), step.results.end());
    const bool isLast = i + 1 == steps.size();
    if (isLast) node.results = whole.results;
    const GlobalNode &known = number(std::move(node), "what " + std::string(whole.row->name) + " computes");
    if (isLast) whole.results = known.results;
    values.push_back(this->whole(known.results[0]));
  }
}

} // namespace autotp

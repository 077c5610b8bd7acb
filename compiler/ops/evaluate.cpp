#include "compiler/ops/evaluate.h"

#include "runtime/base/error.h"

namespace autotp {

llvm::SmallVector<Array, 2> evaluateNode(const Graph &graph, NodeId id, llvm::ArrayRef<const Array *> operands) {
  const Node &node = graph.node(id);
  llvm::SmallVector<Type, 4> operandTypes, resultTypes;
  for (ValueId operand : node.operands)
    operandTypes.push_back(graph.type(operand));
  llvm::SmallVector<Array, 2> results;
  for (ValueId result : node.results) {
    resultTypes.push_back(graph.type(result));
    results.emplace_back(graph.type(result));
  }
  opOf(node).evaluate(OpCall{operandTypes, node.attributes, resultTypes}, operands, results);
  for (Array &result : results)
    roundToType(result);
  return results;
}

llvm::Expected<std::vector<Array>> evaluateGraph(const Graph &graph, const llvm::DenseMap<ValueId, Array> &sources) {
  std::vector<Array> values(graph.numValues());
  for (ValueId id = 0; id < graph.numValues(); ++id) {
    const Value &value = graph.value(id);
    if (value.producer != kNone) continue;
    auto given = sources.find(id);
    if (given != sources.end())
      values[id] = given->second;
    else if (value.contents)
      values[id] = toArray(*value.contents);
    else if (!value.uses.empty())
      return problem("value '" + escaped(value.name) + "'", "it has no contents to evaluate with");
  }
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    if (!opOf(node).evaluate) return problem("operator '" + node.op.str() + "'", "it needs more than one rank");
    llvm::SmallVector<const Array *, 4> operands;
    for (ValueId operand : node.operands)
      operands.push_back(&values[operand]);
    llvm::SmallVector<Array, 2> results = evaluateNode(graph, id, operands);
    for (size_t r = 0; r < results.size(); ++r)
      values[node.results[r]] = std::move(results[r]);
  }
  return values;
}

} // namespace autotp

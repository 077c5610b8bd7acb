#include "compiler/ops/verify.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

std::string nodeName(const Graph &graph, const Node &node) {
  std::string name =
      ("node " + node.op + " %" + (node.results.empty() ? std::string() : graph.value(node.results[0]).name)).str();
  return node.origin.empty() ? name : name + " (from " + escaped(node.origin) + ")";
}

llvm::Error verifyNode(const Graph &graph, NodeId id, llvm::ArrayRef<bool> isDefined) {
  const Node &node = graph.node(id);
  const OpDef *row = findOp(node.op);
  if (!row) return problem(nodeName(graph, node), "its operator is not in the table");
  for (const auto &[k, operand] : indexed(node.operands)) {
    if (!isDefined[operand])
      return problem(nodeName(graph, node),
                     "operand '" + graph.value(operand).name + "' is defined after it, or nowhere");
    if (!llvm::is_contained(graph.value(operand).uses, Use{id, unsigned(k)}))
      return problem(nodeName(graph, node), "it is missing in its operand's uses");
  }
  if (llvm::Error error = checkOperandCount(*row, node.operands.size()))
    return placed(nodeName(graph, node), std::move(error));
  const NodeCall own(graph, node);
  const llvm::ArrayRef<Type> resultTypes = own.call().results;
  llvm::Expected<Types> inferred = row->infer(own.call());
  if (!inferred) return placed(nodeName(graph, node), inferred.takeError());
  if (inferred->size() != resultTypes.size()) return problem(nodeName(graph, node), "it has a wrong number of results");
  for (size_t r = 0; r < resultTypes.size(); ++r)
    if (!(resultTypes[r] == (*inferred)[r]))
      return problem(nodeName(graph, node), "result " + std::to_string(r) + " is " + resultTypes[r].text() +
                                                ", its operator gives " + (*inferred)[r].text());
  return llvm::Error::success();
}

} // namespace

llvm::Error verify(const Graph &graph) {
  llvm::SmallVector<bool, 0> isDefined(graph.numValues(), false);
  llvm::Error errors = llvm::Error::success();
  for (ValueId id = 0; id < graph.numValues(); ++id)
    isDefined[id] = graph.value(id).producer == kNone;
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    errors = llvm::joinErrors(std::move(errors), verifyNode(graph, id, isDefined));
    for (ValueId result : graph.node(id).results)
      isDefined[result] = true;
  }
  for (const Output &output : graph.outputs)
    if (output.value >= graph.numValues() || !isDefined[output.value])
      errors = llvm::joinErrors(std::move(errors), problem("output '" + output.name + "'", "nothing defines it"));
  return errors;
}

} // namespace autotp

#include "passes/train/inline_schedule.h"

#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {

llvm::StringMap<ValueId> inlineSchedule(const Graph &schedule, Builder &b,
                                        llvm::function_ref<ValueId(const Value &)> sourceOf) {
  llvm::DenseMap<ValueId, ValueId> copies; // only looked up
  for (ValueKind kind : {ValueKind::Input, ValueKind::State})
    for (ValueId source : schedule.sources(kind))
      copies[source] = sourceOf(schedule.value(source));
  for (ValueId constant : schedule.sources(ValueKind::Constant))
    copies[constant] = b.graph.addConstant(schedule.value(constant).name, *schedule.value(constant).contents);
  for (NodeId id : schedule.order()) {
    const Node &node = schedule.node(id);
    llvm::SmallVector<ValueId, 4> operands;
    for (ValueId operand : node.operands)
      operands.push_back(copies.lookup(operand));
    const NodeId copy = b.graph.addCopy(schedule, id, operands, b.before);
    for (auto [j, result] : indexed(node.results))
      copies[result] = b.graph.node(copy).results[j];
  }
  llvm::StringMap<ValueId> outputs;
  for (const Output &output : schedule.outputs)
    outputs[output.name] = copies.lookup(output.value);
  return outputs;
}

} // namespace autotp

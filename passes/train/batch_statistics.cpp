#include "passes/train/batch_statistics.h"

#include "compiler/ops/op_def.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {
namespace {

/// Copies what some outputs need, and nothing else: a micro-step's graph has all weights.
class Slice {
public:
  Slice(const Graph &from, llvm::ArrayRef<Output> outputs) : from_(from), needed_(from.numValues(), false) {
    for (const Output &output : outputs)
      needed_[output.value] = true;
    const std::vector<NodeId> order = from.order();
    for (NodeId id : llvm::reverse(order))
      if (llvm::any_of(from.node(id).results, [&](ValueId v) { return needed_[v]; }))
        for (ValueId operand : from.node(id).operands)
          needed_[operand] = true;
    for (NodeId id : order)
      if (llvm::any_of(from.node(id).results, [&](ValueId v) { return needed_[v]; })) copy(id);
    for (const Output &output : outputs)
      to_.outputs.push_back({output.name, valueOf(output.value)});
  }

  Graph take() { return std::move(to_); }

private:
  void copy(NodeId id) {
    llvm::SmallVector<ValueId, 4> operands;
    for (ValueId operand : from_.node(id).operands)
      operands.push_back(valueOf(operand));
    const NodeId made = to_.addCopy(from_, id, operands);
    for (size_t j = 0; j < from_.node(id).results.size(); ++j)
      values_[from_.node(id).results[j]] = to_.node(made).results[j];
  }

  ValueId valueOf(ValueId v) {
    auto [at, isNew] = values_.try_emplace(v, kNone);
    if (!isNew) return at->second;
    const Value &source = from_.value(v); // no other result is new here
    const ValueId made = source.kind == ValueKind::Input ? to_.addInput(source.name, source.type)
                                                         : to_.addConstant(source.name, *source.contents);
    return values_[v] = made;
  }

  const Graph &from_;
  std::vector<bool> needed_;
  Graph to_;
  llvm::DenseMap<ValueId, ValueId> values_; // looked up only
};

} // namespace

Graph takeBatchStatistics(Graph &microStep) {
  std::vector<Output> statistics;
  llvm::copy_if(microStep.outputs, std::back_inserter(statistics),
                [](const Output &output) { return isBatchStatistic(output.name); });
  if (statistics.empty()) return {};
  Graph taken = Slice(microStep, statistics).take();
  llvm::erase_if(microStep.outputs, [](const Output &output) { return isBatchStatistic(output.name); });
  microStep.removeDead([](const Node &node) { return opOf(node).isCollective; });
  return taken;
}

} // namespace autotp

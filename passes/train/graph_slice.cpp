#include "passes/train/graph_slice.h"

namespace autotp {
namespace {

class Slicer {
public:
  Slicer(const Graph &from, const SliceOptions &options)
      : from_(from), options_(options), needed_(from.numValues(), false) {}

  GraphSlice run(llvm::ArrayRef<Output> outputs) {
    for (const Output &output : outputs)
      needed_[output.value] = true;
    const std::vector<NodeId> order = from_.order();
    for (NodeId id : llvm::reverse(order))
      if (isNeeded(id))
        for (ValueId operand : operandsOf(id))
          needed_[operand] = true;
    for (NodeId id : order)
      if (isNeeded(id)) copy(id);
    for (const Output &output : outputs)
      slice_.graph.outputs.push_back({output.name, valueOf(output.value)});
    return std::move(slice_);
  }

private:
  bool isBypassed(NodeId id) const { return options_.bypasses && options_.bypasses(from_.node(id)); }
  bool isNeeded(NodeId id) const {
    if (options_.keeps && options_.keeps(from_.node(id))) return true;
    return llvm::any_of(from_.node(id).results, [&](ValueId v) { return needed_[v]; });
  }
  llvm::ArrayRef<ValueId> operandsOf(NodeId id) const {
    const llvm::ArrayRef<ValueId> all = from_.node(id).operands;
    return isBypassed(id) ? all.take_front() : all;
  }

  void copy(NodeId id) {
    const Node &node = from_.node(id);
    llvm::SmallVector<ValueId, 4> operands;
    for (ValueId operand : operandsOf(id))
      operands.push_back(valueOf(operand));
    if (isBypassed(id)) {
      slice_.values[node.results[0]] = operands[0];
      return;
    }
    const NodeId made = slice_.graph.addCopy(from_, id, operands);
    for (size_t j = 0; j < node.results.size(); ++j)
      slice_.values[node.results[j]] = slice_.graph.node(made).results[j];
  }

  ValueId valueOf(ValueId v) {
    auto [at, isNew] = slice_.values.try_emplace(v, kNone);
    if (isNew) at->second = addSource(from_.value(v)); // all results are copied before they are read
    return at->second;
  }

  ValueId addSource(const Value &source) {
    switch (source.kind) {
    case ValueKind::Input:
      return slice_.graph.addInput(source.name, source.type);
    case ValueKind::Parameter:
      return slice_.graph.addParameter(source.name, source.type);
    case ValueKind::State:
      return slice_.graph.addState(source.name, source.type);
    default:
      return slice_.graph.addConstant(source.name, *source.contents);
    }
  }

  const Graph &from_;
  const SliceOptions &options_;
  std::vector<bool> needed_; ///< by ValueId
  GraphSlice slice_;
};

} // namespace

GraphSlice sliceOf(const Graph &from, llvm::ArrayRef<Output> outputs, const SliceOptions &options) {
  return Slicer(from, options).run(outputs);
}

} // namespace autotp

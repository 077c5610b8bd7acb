#include "passes/train/bind_dropout.h"

#include "compiler/ops/op_def.h"
#include "compiler/sharding/batch_axis.h"
#include "compiler/sharding/find_axes.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include <map>

namespace autotp {
namespace {

class DropoutBinder {
public:
  DropoutBinder(Graph &graph, const llvm::StringSet<> &withoutBatch)
      : graph_(graph), axes_(findAxes(graph, Cuts::Dimensions)), samples_(findBatch(graph, axes_, withoutBatch).axis),
        fromInput_(graph.numValues(), false) {
    findWhatDependsOnInputs();
  }

  llvm::Error bind(NodeId id, ValueId x, int64_t ordinal) {
    const Node node = graph_.node(id);
    if (counter_ == kNone) counter_ = graph_.addState(kRandomCounter, Type{DType::I64, {3}});
    llvm::SmallVector<ValueId, 8> operands = {node.operands[0], counter_};
    const Shape shape = graph_.type(x).shape;
    const Terms &terms = axes_.values[x];
    int64_t stride = 1;
    llvm::SmallVector<ValueId, 6> positions;
    for (size_t d = shape.size(); d-- > 0;) {
      const AxisId term = terms[d] == kNoAxis ? kNoAxis : axes_.arena.find(terms[d]);
      if (isJoined(term))
        return problem("node '" + escaped(node.origin) + "'", "its dropout is over a dimension that joins samples",
                       "export the model without this dropout");
      positions.push_back(positionsAlong(term, shape[d], stride));
    }
    operands.append(positions.rbegin(), positions.rend());
    Attributes attributes = node.attributes;
    attributes.set("ordinal", ordinal);
    attributes.set("per_sample", int64_t(fromInput_[x]));
    Builder b(graph_, id);
    b.origin = node.origin;
    graph_.replaceAllUses(node.results[0], b.make("dropout", operands, attributes));
    graph_.erase(id);
    return llvm::Error::success();
  }

private:
  void findWhatDependsOnInputs() {
    for (ValueId input : graph_.sources(ValueKind::Input))
      fromInput_[input] = true;
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      for (ValueId result : graph_.node(id).results)
        fromInput_[result] = llvm::any_of(graph_.node(id).operands, [&](ValueId v) { return fromInput_[v]; });
  }

  bool isJoined(AxisId term) const {
    return term != kNoAxis && term != samples_ && axes_.arena.kind(term) == AxisArena::Kind::Concat &&
           llvm::is_contained(axes_.arena.leaves(term), samples_);
  }

  /// The positions of one dimension, [size, 2]. From the innermost factor outwards, each factor adds to the index
  /// within the sample, but the factor of samples adds to the row. `stride` counts the index elements so far.
  ValueId positionsAlong(AxisId term, int64_t size, int64_t &stride) {
    const bool isProduct = term != kNoAxis && axes_.arena.kind(term) == AxisArena::Kind::Product;
    const llvm::SmallVector<AxisId> factors = isProduct ? axes_.arena.factors(term) : llvm::SmallVector<AxisId>{term};
    std::vector<int64_t> rowsAndIndices(size_t(size) * 2, 0);
    int64_t inner = 1;
    for (AxisId factor : llvm::reverse(factors)) {
      const bool isSamples = factor != kNoAxis && axes_.arena.find(factor) == samples_;
      const int64_t extent = factor == kNoAxis ? size : axes_.arena.size(factor);
      for (int64_t i = 0; i < size; ++i)
        rowsAndIndices[size_t(i * 2 + !isSamples)] += i / inner % extent * (isSamples ? 1 : stride);
      inner *= extent;
      if (!isSamples) stride *= extent;
    }
    auto [at, isNew] = known_.try_emplace(rowsAndIndices, kNone);
    if (isNew) at->second = graph_.addConstant("positions", tensorOf(rowsAndIndices));
    return at->second;
  }

  static Tensor tensorOf(const std::vector<int64_t> &rowsAndIndices) {
    Array array;
    array.type = Type{DType::I64, {int64_t(rowsAndIndices.size() / 2), 2}};
    array.data.assign(rowsAndIndices.begin(), rowsAndIndices.end());
    return toTensor(array);
  }

  Graph &graph_;
  const GraphAxes axes_;
  const AxisId samples_; ///< kNoAxis if there is only one sample
  std::vector<bool> fromInput_;
  ValueId counter_ = kNone;
  /// Positions by their contents, since dimensions that are alike share them.
  std::map<std::vector<int64_t>, ValueId> known_;
};

} // namespace

llvm::Error bindDropout(Graph &graph, const llvm::StringSet<> &withoutBatch) {
  // Each with its operand, which the binding of an earlier one may replace.
  std::vector<std::pair<NodeId, ValueId>> dropouts;
  for (NodeId id : graph.order())
    if (graph.node(id).is("dropout")) dropouts.push_back({id, graph.node(id).operands[0]});
  if (dropouts.empty()) return llvm::Error::success();
  DropoutBinder binder(graph, withoutBatch);
  for (size_t ordinal = 0; ordinal < dropouts.size(); ++ordinal)
    if (llvm::Error error = binder.bind(dropouts[ordinal].first, dropouts[ordinal].second, int64_t(ordinal)))
      return error;
  return llvm::Error::success();
}

} // namespace autotp

#include "passes/train/lower_precision.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace autotp {
namespace {

/// The same numbers in another float type. Finite numbers stay finite, since masks of -FLT_MAX must.
Tensor converted(const Tensor &tensor, DType dtype) {
  Array array = toArray(tensor);
  array.type.dtype = dtype;
  const double largest = dtype == DType::F16 ? 65504.0 : dtype == DType::BF16 ? 0x1.fep127 : 0x1.fffffep127;
  for (double &value : array.data)
    if (std::isfinite(value)) value = std::clamp(value, -largest, largest);
  return toTensor(array);
}

class Lowering {
public:
  Lowering(Graph &graph, DType low) : graph_(graph), low_(low) {}

  void lowerForward() {
    for (const ParameterInfo &parameter : graph_.parameters)
      if (graph_.type(parameter.value).dtype == DType::F32) graph_.value(parameter.value).type.dtype = low_;
    findWhatLeadsToProducts();
    for (NodeId id : graph_.order())
      run(id, wantedBy(id));
    for (Output &output : graph_.outputs) // the loss itself may be a product
      if (graph_.type(output.value).dtype == low_)
        output.value =
            Builder(graph_).makeTyped("cast", {output.value}, Type{DType::F32, graph_.type(output.value).shape});
    graph_.removeDead();
  }

  void lowerBackward() {
    // Parameters that became constants, since the loss does not depend on them.
    for (ValueId id : graph_.sources(ValueKind::Constant))
      if (Value &value = graph_.value(id); value.contents && value.contents->type.dtype != value.type.dtype)
        value.contents = converted(*value.contents, value.type.dtype);
    for (NodeId id : graph_.order()) {
      if (!graph_.node(id).backward) continue;
      widenAgain(id);
      if (opOf(graph_.node(id)).precision != Precision::Full || !hasSmallOperand(graph_.node(id))) continue;
      const llvm::SmallVector<ValueId, 2> results = graph_.node(id).results;
      llvm::SmallVector<DType, 2> before;
      for (ValueId result : results)
        before.push_back(graph_.type(result).dtype);
      run(id, DType::F32);
      for (size_t j = 0; j < results.size(); ++j)
        if (before[j] == low_) castAllUses(results[j], graph_.node(id).next);
    }
    for (Output &output : graph_.outputs) {
      const Node *last = graph_.producer(output.value);
      bool isNarrowed = last && last->is("cast") && graph_.type(output.value).dtype == low_;
      if (isNarrowed && graph_.type(last->operands[0]).dtype == DType::F32) output.value = last->operands[0];
      if (isSummedForParameter(output)) graph_.value(output.value).type.dtype = DType::F32;
    }
    graph_.removeDead();
  }

private:
  /// Whether an output is a product that nothing else reads: the gradient of a parameter, which is summed in f32.
  bool isSummedForParameter(const Output &output) const {
    const Node *last = graph_.producer(output.value);
    return last && last->is("matmul") && last->backward && graph_.value(output.value).uses.empty();
  }

  void findWhatLeadsToProducts() {
    leadsToProduct_.assign(graph_.numNodes(), false);
    std::vector<NodeId> order = graph_.order();
    for (NodeId id : llvm::reverse(order))
      for (ValueId result : graph_.node(id).results)
        for (const Use &use : graph_.value(result).uses)
          if (leadsToProduct_[use.node] || opOf(graph_.node(use.node)).precision == Precision::Low)
            leadsToProduct_[id] = true;
  }

  DType wantedBy(NodeId id) const {
    const Node &node = graph_.node(id);
    switch (opOf(node).precision) {
    case Precision::Low:
      return low_;
    case Precision::Full:
      return DType::F32;
    case Precision::Follows:
      break;
    }
    return hasSmallOperand(node) && leadsToProduct_[id] && !isStatisticRead(node) ? low_ : DType::F32;
  }

  static bool isFull(uint8_t set, unsigned k) { return k < 8 && set >> k & 1; }

  bool hasSmallOperand(const Node &node) const {
    for (const auto &[k, operand] : indexed(node.operands))
      if (graph_.type(operand).dtype == low_ && !isFull(opOf(node).fullOperands, unsigned(k))) return true;
    return false;
  }

  /// The gradient that comes by a statistic is computed by operators that know one type.
  bool isStatisticRead(const Node &node) const {
    for (const auto &[j, result] : indexed(node.results))
      if (isFull(opOf(node).fullResults, unsigned(j)) && !graph_.value(result).uses.empty()) return true;
    return false;
  }

  bool isOther(ValueId value, DType wanted) const {
    DType dtype = graph_.type(value).dtype;
    return dtype != wanted && (dtype == DType::F32 || dtype == low_);
  }

  /// Makes a node run in the float type `wanted`: casts its operands and changes the types of its results, but those that
  /// its row wants in f32.
  void run(NodeId id, DType wanted) {
    const OpDef &row = opOf(graph_.node(id));
    for (unsigned k = 0; k < graph_.node(id).operands.size(); ++k) {
      const DType own = isFull(row.fullOperands, k) ? DType::F32 : wanted;
      if (ValueId operand = graph_.node(id).operands[k]; isOther(operand, own))
        graph_.setOperand(id, k, cast(operand, own, id));
    }
    for (const auto &[j, result] : indexed(graph_.node(id).results)) {
      const DType own = isFull(row.fullResults, unsigned(j)) ? DType::F32 : wanted;
      if (isOther(result, own)) graph_.value(result).type.dtype = own;
    }
  }

  /// If a backward node reads an f32 value of the forward that also exists in the small type, it reads a cast of the
  /// small one, so that only the small one is kept until then.
  void widenAgain(NodeId id) {
    for (unsigned k = 0; k < graph_.node(id).operands.size(); ++k)
      if (ValueId small = smallFormOf(graph_.node(id).operands[k]); small != kNone)
        graph_.setOperand(id, k, cast(small, DType::F32, id));
  }

  /// For an f32 value of the forward, the value of the small type that it was cast from or to; kNone if there is none.
  ValueId smallFormOf(ValueId value) const {
    const Node *producer = graph_.producer(value);
    if (graph_.type(value).dtype != DType::F32 || !producer || producer->backward) return kNone;
    if (producer->is("cast") && graph_.type(producer->operands[0]).dtype == low_) return producer->operands[0];
    for (const Use &use : graph_.value(value).uses) {
      const Node &node = graph_.node(use.node);
      if (node.is("cast") && !node.backward && graph_.type(node.results[0]).dtype == low_) return node.results[0];
    }
    return kNone;
  }

  /// One cast of a value serves all its uses, as nodes are visited in order and the first use comes before the others.
  ValueId cast(ValueId value, DType wanted, NodeId before) {
    auto [at, isNew] = casts_.try_emplace({value, uint8_t(wanted)}, kNone);
    if (!isNew) return at->second;
    const Value &from = graph_.value(value);
    if (from.kind == ValueKind::Constant && from.contents)
      return casts_[{value, uint8_t(wanted)}] = graph_.addConstant(from.name, converted(*from.contents, wanted));
    Builder b(graph_, before);
    b.origin = graph_.node(before).origin;
    b.backward = graph_.node(before).backward;
    return casts_[{value, uint8_t(wanted)}] = b.makeTyped("cast", {value}, Type{wanted, graph_.type(value).shape});
  }

  void castAllUses(ValueId value, NodeId before) {
    const Node &producer = *graph_.producer(value);
    Builder b(graph_, before);
    b.origin = producer.origin;
    b.backward = true;
    ValueId placeholder = graph_.addConstant("placeholder", scalarTensor(low_, 0));
    graph_.replaceAllUses(value, placeholder);
    graph_.replaceAllUses(placeholder, b.makeTyped("cast", {value}, Type{low_, graph_.type(value).shape}));
  }

  Graph &graph_;
  DType low_;
  std::vector<bool> leadsToProduct_; ///< by NodeId
  // Only looked up, never iterated over, since its order would not be deterministic.
  llvm::DenseMap<std::pair<ValueId, uint8_t>, ValueId> casts_;
};

} // namespace

RaisedPrecision raisePrecision(Graph &graph) {
  RaisedPrecision raised;
  auto isDouble = [&](ValueId source) { return graph.type(source).dtype == DType::F64; };
  raised.hadDoubles = llvm::any_of(graph.sources(ValueKind::Input), isDouble);
  std::map<DType, int64_t> elements;
  for (const ParameterInfo &parameter : graph.parameters) {
    elements[graph.type(parameter.value).dtype] += graph.type(parameter.value).elements();
    raised.hadDoubles |= isDouble(parameter.value);
  }
  for (DType dtype : {DType::BF16, DType::F16})
    if (elements[dtype] > elements[raised.own]) raised.own = dtype;
  for (ValueId id = 0; id < graph.numValues(); ++id) {
    Value &value = graph.value(id);
    if (!isSmallFloat(value.type.dtype) && !(raised.hadDoubles && value.type.dtype == DType::F64)) continue;
    value.type.dtype = DType::F32;
    if (value.contents) value.contents = converted(*value.contents, DType::F32);
  }
  return raised;
}

void lowerPrecision(Graph &graph, DType dtype) {
  if (isSmallFloat(dtype)) Lowering(graph, dtype).lowerForward();
}

void lowerGradients(Graph &graph, DType dtype) {
  if (isSmallFloat(dtype)) Lowering(graph, dtype).lowerBackward();
}

} // namespace autotp

#include "passes/import/input_bounds.h"

#include "compiler/ops/evaluate.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

#include <set>

namespace autotp {
namespace {

constexpr double kElsewhere = -1; ///< marks an element that does not come from the input

/// Follows the elements of an input to the operands that index something. A value's array holds, for each element, its
/// index within the input's sample.
class Places {
public:
  Places(const Graph &graph, ValueId input, int64_t samples) : graph_(graph) {
    Array &places = places_[input] = Array(Type{DType::F64, graph.type(input).shape});
    perSample_ = std::max<int64_t>(1, places.type.elements() / std::max<int64_t>(samples, 1));
    for (size_t i = 0; i < places.data.size(); ++i)
      places.data[i] = double(int64_t(i) % perSample_);
  }

  std::vector<InputBound> follow() {
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next) {
      const Node &node = graph_.node(id);
      if (node.is("gather") && places_.count(node.operands[1]))
        add(graph_.value(node.operands[0]).name, graph_.type(node.operands[0]).shape[0], node.operands[1]);
      if (node.is("cross_entropy") && places_.count(node.operands[1]))
        add("the classes of " + node.origin, graph_.type(node.operands[0]).shape[1], node.operands[1]);
      if (llvm::any_of(node.operands, [&](ValueId operand) { return places_.count(operand); })) move(id);
    }
    return std::move(bounds_);
  }

private:
  void add(const std::string &of, int64_t limit, ValueId indices) {
    std::set<int64_t> places;
    for (double place : places_[indices].data)
      if (place != kElsewhere) places.insert(int64_t(place));
    if (int64_t(places.size()) == perSample_) places.clear();
    bounds_.push_back({of, limit, {places.begin(), places.end()}});
  }

  /// Runs nodes that only move elements on the places, by the reference evaluator. Any other result has no places.
  void move(NodeId id) {
    const Node &node = graph_.node(id);
    const ValueId first = node.operands[0], result = node.results[0];
    const bool isKept = node.is("cast") || ((node.is("max") || node.is("min")) && places_.count(first) &&
                                            graph_.type(first).shape == graph_.type(result).shape);
    if (isKept) {
      Array kept = places_[first];
      places_[result] = std::move(kept);
      return;
    }
    const bool isMove = node.is("reshape") || node.is("transpose") || node.is("expand") || node.is("slice") ||
                        node.is("concat") ||
                        (node.is("gather") && places_.count(first) && graph_.value(node.operands[1]).contents);
    if (!isMove) return;
    llvm::SmallVector<Array, 4> operands;
    for (ValueId operand : node.operands) {
      if (auto known = places_.find(operand); known != places_.end())
        operands.push_back(known->second);
      else if (node.is("gather"))
        operands.push_back(toArray(*graph_.value(operand).contents));
      else
        operands.push_back(elsewhere(graph_.type(operand).shape));
    }
    llvm::SmallVector<const Array *, 4> views;
    for (const Array &operand : operands)
      views.push_back(&operand);
    places_[result] = std::move(evaluateNode(graph_, id, views)[0]);
  }

  static Array elsewhere(const Shape &shape) {
    Array array(Type{DType::F64, shape});
    std::fill(array.data.begin(), array.data.end(), kElsewhere);
    return array;
  }

  const Graph &graph_;
  int64_t perSample_ = 1;
  llvm::DenseMap<ValueId, Array> places_; // only looked up
  std::vector<InputBound> bounds_;
};

} // namespace

std::vector<InputBound> inputBounds(const Graph &graph, ValueId input, int64_t samples) {
  const DType dtype = graph.type(input).dtype;
  if (dtype != DType::I64 && dtype != DType::I32) return {};
  std::vector<InputBound> bounds = Places(graph, input, samples).follow();
  const bool differs = llvm::any_of(bounds, [&](const InputBound &bound) { return bound.limit != bounds[0].limit; });
  return differs ? bounds : std::vector<InputBound>();
}

} // namespace autotp

#include "passes/train/differentiate.h"

#include "compiler/ir/loss.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

#include "llvm/ADT/DenseMap.h"

namespace autotp {
namespace {

/// The gradients that reach a value from its uses.
using Contributions = llvm::SmallVector<ValueId, 2>;

/// For each value, the first parameter on which it depends differentiably; kNone if there is none.
std::vector<ValueId> parametersBehind(const Graph &graph) {
  std::vector<ValueId> behind(graph.numValues(), kNone);
  for (const ParameterInfo &parameter : graph.parameters)
    behind[parameter.value] = parameter.value;
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const Node &node = graph.node(id);
    auto trained = llvm::find_if(node.operands, [&](ValueId v) { return behind[v] != kNone; });
    if (trained == node.operands.end()) continue;
    for (ValueId result : node.results)
      if (isFloat(graph.type(result).dtype)) behind[result] = behind[*trained];
  }
  return behind;
}

class Backward {
public:
  Backward(Graph &graph, std::vector<ValueId> behind) : graph_(graph), builder_(graph), behind_(std::move(behind)) {
    builder_.backward = true;
  }

  /// Differentiates `sum`, times the loss scale if there is one.
  llvm::Error run(ValueId sum, const Objective &objective) {
    std::vector<NodeId> forward = graph_.order();
    builder_.origin = "loss";
    const Type type = graph_.type(sum);
    ValueId share = builder_.full(type, objective.scaleShare);
    contributions_[sum].push_back(objective.lossScale == kNone ? share
                                                               : builder_.make("mul", {objective.lossScale, share}));
    for (NodeId id : llvm::reverse(forward))
      if (llvm::Error error = visit(id)) return error;
    return llvm::Error::success();
  }

  ValueId gradientOf(ValueId value) { return sum(value); }

private:
  /// The gradient of a slice of a value. It waits here until all slices of that value are known.
  struct SlicePart {
    int64_t start, length;
    ValueId gradient;
  };

  llvm::Error visit(NodeId id) {
    const Node node = graph_.node(id);
    if (!llvm::any_of(node.operands, [&](ValueId v) { return isTrained(v); })) return llvm::Error::success();
    builder_.origin = node.origin;
    llvm::SmallVector<ValueId, 3> arriving;
    for (ValueId result : node.results)
      arriving.push_back(sum(result));
    if (llvm::all_of(arriving, [](ValueId v) { return v == kNone; })) return llvm::Error::success();
    if (node.is("slice") && node.attributes.integer("step", 1) == 1) {
      const Attributes &a = node.attributes;
      slices_[{node.operands[0], a.integer("axis")}].push_back({a.integer("start"), a.integer("length"), arriving[0]});
      return llvm::Error::success();
    }
    const OpDef &row = opOf(node);
    llvm::SmallVector<ValueId, 4> leaving(node.operands.size(), kNone);
    for (size_t j = 0; j < arriving.size(); ++j)
      if (arriving[j] != kNone && row.savedResults >> j & 1)
        return noRule(node, *llvm::find_if(node.operands, [&](ValueId v) { return isTrained(v); }),
                      "through its result " + llvm::Twine(j));
    if (row.gradient) row.gradient(builder_, id, arriving, leaving);
    for (size_t k = 0; k < leaving.size(); ++k) {
      if (!isTrained(node.operands[k])) continue;
      if (leaving[k] == kNone) return noRule(node, node.operands[k], "of its operand " + llvm::Twine(k));
      contributions_[node.operands[k]].push_back(leaving[k]);
    }
    return llvm::Error::success();
  }

  bool isTrained(ValueId value) const { return behind_[value] != kNone; }

  /// The error for an operator without a gradient, which names the parameter that would be trained with a part of its
  /// gradient only.
  llvm::Error noRule(const Node &node, ValueId operand, const llvm::Twine &which) const {
    const std::string parameter = escaped(graph_.value(behind_[operand]).name);
    return problem("node '" + escaped(node.origin) + "'",
                   ("operator '" + node.op + "' has no gradient " + which + ", and parameter '" + parameter +
                    "' is trained through it")
                       .str(),
                   "freeze it with --freeze '" + parameter + "'");
  }

  /// The sum of all gradients that reach a value; kNone if none does. The sum replaces its addends, so it is made once.
  ValueId sum(ValueId value) {
    flushSlices(value);
    auto at = contributions_.find(value);
    if (at == contributions_.end()) return kNone;
    ValueId total = at->second[0];
    for (ValueId next : llvm::drop_begin(at->second))
      total = builder_.make("add", {total, next});
    at->second = {total};
    return total;
  }

  void flushSlices(ValueId value) {
    for (int64_t axis = 0; axis < int64_t(graph_.type(value).shape.size()); ++axis) {
      auto at = slices_.find({value, axis});
      if (at == slices_.end()) continue;
      std::vector<SlicePart> parts = std::move(at->second);
      slices_.erase(at);
      while (!parts.empty())
        contributions_[value].push_back(joinDisjoint(value, axis, parts));
    }
  }

  /// Concatenates the gradients of disjoint slices in order, with zeros in the gaps, and removes them from `parts`. The
  /// three slices of a fused QKV thus become one concat, not three padded values that are added.
  ValueId joinDisjoint(ValueId value, int64_t axis, std::vector<SlicePart> &parts) {
    llvm::stable_sort(parts, [](const SlicePart &a, const SlicePart &c) { return a.start < c.start; });
    std::vector<SlicePart> rest;
    llvm::SmallVector<ValueId, 4> operands;
    const Type whole = graph_.type(value);
    int64_t at = 0;
    auto zeros = [&](int64_t length) {
      Type gap = whole;
      gap.shape[axis] = length;
      if (length > 0) operands.push_back(builder_.full(gap, 0));
    };
    for (const SlicePart &part : parts) {
      if (part.start < at) {
        rest.push_back(part);
        continue;
      }
      zeros(part.start - at);
      operands.push_back(part.gradient);
      at = part.start + part.length;
    }
    zeros(whole.shape[axis] - at);
    parts = std::move(rest);
    return operands.size() == 1 ? operands[0] : builder_.make("concat", operands, {{"axis", axis}});
  }

  Graph &graph_;
  Builder builder_;
  std::vector<ValueId> behind_;
  llvm::DenseMap<ValueId, Contributions> contributions_;
  // Only looked up, never iterated over, since its order would not be deterministic.
  llvm::DenseMap<std::pair<ValueId, int64_t>, std::vector<SlicePart>> slices_;
};

} // namespace

llvm::Expected<Objective> differentiate(Graph &graph, bool isScaled) {
  const ValueId loss = graph.output("loss");
  const std::optional<CrossEntropyMean> mean = crossEntropyMean(graph, loss);
  Objective objective{mean ? LossKind::CrossEntropySum : LossKind::Mean};
  const ValueId sum = mean ? mean->sum : loss, count = mean ? mean->count : countOfOne(graph, loss);
  if (isScaled) {
    objective.lossScale = graph.addState("loss_scale", graph.type(sum));
    for (int64_t labels = mean ? graph.type(mean->labels).elements() : 1; labels > 1; labels = (labels + 1) / 2)
      objective.scaleShare /= 2;
  }
  Backward backward(graph, parametersBehind(graph));
  if (llvm::Error error = backward.run(sum, objective)) return error;
  if (llvm::Error error = bindOutputs(
          graph, objective, sum, count, [&](ValueId parameter) { return backward.gradientOf(parameter); },
          "the loss does not depend on it", "the loss depends on no parameter"))
    return error;
  return objective;
}

} // namespace autotp

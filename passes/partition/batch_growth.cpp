#include "passes/partition/batch_growth.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

/// How each value grows with the batch where all rows are alike: a sum over it as the batch does (1), a mean not (0).
class BatchGrowth {
public:
  BatchGrowth(Graph &graph, const GraphAxes &axes, AxisId batch, double smaller)
      : g_(graph), axes_(axes), batch_(batch), smaller_(smaller), growth_(graph.numValues(), 0) {}

  const Node *run() {
    for (NodeId id : g_.order()) {
      std::optional<int> growth = isMean(id) ? 0 : growthOf(g_.node(id));
      if (!growth) return &g_.node(id);
      for (auto [j, result] : indexed(g_.node(id).results))
        growth_[result] = *growth + (contracts(id, j) ? 1 : 0);
    }
    for (const Output &output : g_.outputs)
      if (growth_[output.value] != 0) return g_.producer(output.value);
    return nullptr;
  }

private:
  bool contracts(NodeId id, size_t result) const {
    return llvm::any_of(axes_.nodes[id].terms.contracted[result], [&](AxisId term) {
      return term != kNoAxis && llvm::is_contained(axes_.arena.leaves(term), batch_);
    });
  }

  int growth(ValueId value) const { return value < growth_.size() ? growth_[value] : 0; } // of a new constant: none

  std::optional<int> growthOf(const Node &node) const {
    if (llvm::all_of(node.operands, [&](ValueId v) { return growth(v) == 0; })) return 0;
    const int first = growth(node.operands[0]);
    if (node.is("mul") || node.is("matmul")) return first + growth(node.operands[1]);
    if (node.is("div")) return first - growth(node.operands[1]);
    const bool areAlike = llvm::all_of(node.operands, [&](ValueId v) { return growth(v) == first; });
    const Linearity linearity = opOf(node).linearity;
    if (areAlike && (linearity == Linearity::Each || linearity == Linearity::Together)) return first;
    return std::nullopt;
  }

  /// A sum over n elements, the batch among them, times 1/n or divided by n; its constant is made right.
  bool isMean(NodeId id) {
    const Node &node = g_.node(id);
    const bool isProduct = node.is("mul");
    if (!isProduct && !node.is("div")) return false;
    for (unsigned k = 0; k < (isProduct ? 2u : 1u); ++k) {
      const Value &constant = g_.value(node.operands[1 - k]);
      const double n = summedElements(node.operands[k]);
      if (n == 0 || constant.kind != ValueKind::Constant || constant.type.elements() != 1) continue;
      constexpr double kRounding = 1e-6;
      Array right = toArray(*constant.contents);
      double &value = right.data[0];
      if (std::fabs((isProduct ? value * n : value / n) - 1) > kRounding) continue;
      value = isProduct ? value / smaller_ : value * smaller_;
      g_.setOperand(id, 1 - k, g_.addConstant("count", toTensor(right)));
      return true;
    }
    return false;
  }

  /// Of each element of a sum over the batch, perhaps under another shape: how many it sums. 0 of anything else.
  double summedElements(ValueId value) const {
    const Node *node = g_.producer(value);
    while (node && (node->is("reshape") || node->is("cast"))) {
      value = node->operands[0];
      node = g_.producer(value);
    }
    if (!node || !node->is("reduce_sum") || !contracts(g_.value(value).producer, 0)) return 0;
    return double(g_.type(node->operands[0]).elements()) / double(g_.type(value).elements());
  }

  Graph &g_;
  const GraphAxes &axes_;
  AxisId batch_;
  double smaller_;
  std::vector<int> growth_; // by ValueId
};

} // namespace

const Node *shrinkMeans(Graph &graph, const GraphAxes &axes, AxisId batch, double smaller) {
  return BatchGrowth(graph, axes, batch, smaller).run();
}

} // namespace autotp

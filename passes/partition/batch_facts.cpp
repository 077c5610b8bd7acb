#include "passes/partition/batch_facts.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

using Sizes = llvm::SmallVector<int64_t, 4>;

/// Whether `n` is the product of `always` and some of `sizes`, and is not 1.
bool isProductOf(double n, llvm::ArrayRef<int64_t> sizes, double always) {
  constexpr double kRounding = 1e-6; // relative, since the constant may have been rounded to f32
  if (sizes.empty()) return std::fabs(always / n - 1) < kRounding && n != 1;
  return isProductOf(n, sizes.drop_front(), always) ||
         isProductOf(n, sizes.drop_front(), always * double(sizes.front()));
}

class Walk {
public:
  Walk(const Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch)
      : graph_(graph), axes_(axes), batch_(batch), summed_(graph.numValues()) {
    facts_.parts.assign(graph_.numValues(), BatchPart::None);
    facts_.ofParameters.assign(graph_.numValues(), false);
    facts_.isSummedHere.assign(graph_.numValues(), false);
    facts_.mixesSamples.assign(graph_.numNodes(), false);
    facts_.growth.assign(graph_.numValues(), 0);
  }

  BatchFacts run() {
    for (const ParameterInfo &parameter : graph_.parameters)
      facts_.ofParameters[parameter.value] = true;
    for (ValueId input : graph_.sources(ValueKind::Input))
      if (batch_.empty() ? leadsWithOne(input) : hasBatch(axes_.values[input]))
        facts_.parts[input] = BatchPart::Samples;
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      visit(id);
    return std::move(facts_);
  }

private:
  bool leadsWithOne(ValueId input) const {
    const Shape &shape = graph_.type(input).shape;
    return !shape.empty() && shape[0] == 1;
  }

  bool isBatch(AxisId term) const {
    return term != kNoAxis &&
           llvm::any_of(axes_.arena.leaves(term), [&](AxisId leaf) { return llvm::is_contained(batch_, leaf); });
  }
  bool hasBatch(llvm::ArrayRef<AxisId> terms) const {
    return llvm::any_of(terms, [&](AxisId term) { return isBatch(term); });
  }

  /// Whether result `j` is a sum over the batch.
  bool sums(NodeId id, size_t j) const {
    const IndexTerms &terms = axes_.nodes[id].terms;
    if (!batch_.empty()) return hasBatch(terms.contracted[j]);
    const Node &node = graph_.node(id);
    if (node.is("cross_entropy")) return j < 2;
    // A reduction of a batch of one sample alone is its mean as well, so it does not count as a sum.
    return node.is("reduce_sum") && llvm::is_contained(node.attributes.integers("axes"), 0) &&
           graph_.type(node.operands[0]).elements() > graph_.type(node.results[j]).elements();
  }

  /// Whether samples meet in a node in another way than in a sum: it needs the whole batch axis, or looks up along it.
  bool mixes(NodeId id) const {
    const IndexTerms &terms = axes_.nodes[id].terms;
    return hasBatch(terms.within) || isBatch(terms.lookup) || isBatch(terms.scatter) || isBatch(terms.classes) ||
           llvm::any_of(terms.whole, [&](const auto &row) { return isBatch(row.first); });
  }

  void visit(NodeId id) {
    const Node &node = graph_.node(id);
    auto isOf = [&](BatchPart part) {
      return llvm::any_of(node.operands, [&](ValueId v) { return facts_.parts[v] == part; });
    };
    const bool ofSamples = isOf(BatchPart::Samples), ofSums = isOf(BatchPart::Sum) || isOf(BatchPart::Mixed);
    // What a dropout drops differs from step to step, so it is no statistic of the inputs.
    const bool ofParameters =
        node.is("dropout") || llvm::any_of(node.operands, [&](ValueId v) { return facts_.ofParameters[v]; });
    facts_.mixesSamples[id] = ofSamples && mixes(id);
    const std::optional<int> growth = dividesByCount(id) ? growthOf(node).value_or(1) - 1 : growthOf(node);
    for (auto [j, result] : indexed(node.results)) {
      facts_.ofParameters[result] = ofParameters;
      facts_.growth[result] = growth;
      summed_[result] = summedBy(node);
      if (!ofSamples && !ofSums) continue;
      if (ofSamples && sums(id, j)) {
        facts_.isSummedHere[result] = true;
        facts_.parts[result] = hasBatch(axes_.values[result]) ? BatchPart::Samples : BatchPart::Sum;
        if (growth) facts_.growth[result] = *growth + 1;
        append(id, j, summed_[result]);
      } else if (ofSamples && (batch_.empty() || hasBatch(axes_.values[result]))) {
        facts_.parts[result] = BatchPart::Samples;
      } else {
        facts_.parts[result] = ofSamples || isOf(BatchPart::Mixed) ? BatchPart::Mixed : BatchPart::Sum;
      }
    }
  }

  /// Appends the sizes of the axes that a node sums over.
  void append(NodeId id, size_t j, Sizes &sizes) const {
    for (AxisId term : axes_.nodes[id].terms.contracted[j])
      if (term != kNoAxis)
        for (AxisId leaf : axes_.arena.leaves(term))
          sizes.push_back(axes_.arena.size(leaf));
  }

  /// The sizes of all sums on the way to the operands of a node: those of the first operand that grows with the batch.
  Sizes summedBy(const Node &node) const {
    for (ValueId operand : node.operands)
      if (facts_.growth[operand] != 0) return summed_[operand];
    return {};
  }

  /// A product grows by the sum of its operands' powers, a division by the difference. A sum keeps the power of addends
  /// that agree, and other operators have no known growth.
  std::optional<int> growthOf(const Node &node) const {
    for (ValueId v : node.operands)
      if (!facts_.growth[v]) return std::nullopt;
    auto growth = [&](size_t k) { return *facts_.growth[node.operands[k]]; };
    const int first = node.operands.empty() ? 0 : growth(0);
    bool areAlike = true, areNone = true;
    for (size_t k = 0; k < node.operands.size(); ++k) {
      areAlike &= growth(k) == first;
      areNone &= growth(k) == 0;
    }
    if (areNone) return 0;
    if (node.is("mul") || node.is("matmul")) return first + growth(1);
    if (node.is("div")) return first - growth(1);
    if (areAlike && opOf(node).linearIn == kEveryOperand) return first;
    return std::nullopt;
  }

  /// Recognises a sum over n elements of the whole batch that is multiplied by 1/n or divided by n, and notes the
  /// constant.
  bool dividesByCount(NodeId id) {
    const Node &node = graph_.node(id);
    const bool isProduct = node.is("mul");
    if (!isProduct && !node.is("div")) return false;
    for (unsigned k = 0; k < (isProduct ? 2u : 1u); ++k) {
      const Value &constant = graph_.value(node.operands[1 - k]);
      const ValueId sum = node.operands[k];
      if (facts_.growth[sum] != 1 || constant.kind != ValueKind::Constant || constant.type.elements() != 1) continue;
      const double value = toArray(*constant.contents).data[0], n = isProduct ? 1 / value : value;
      Sizes others = summed_[sum];
      int64_t batch = 1;
      for (AxisId leaf : batch_)
        batch *= axes_.arena.size(leaf);
      for (AxisId leaf : batch_)
        if (auto at = llvm::find(others, axes_.arena.size(leaf)); at != others.end()) others.erase(at);
      constexpr size_t kMost = 12; // every subset of so many factors is tried
      if (others.size() > kMost || !(n > 0) || !isProductOf(n, others, double(batch))) continue;
      facts_.counts.push_back({id, 1 - k, isProduct});
      return true;
    }
    return false;
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  llvm::ArrayRef<AxisId> batch_;
  BatchFacts facts_;
  std::vector<Sizes> summed_; ///< by ValueId: the sizes of the axes that were summed over on the way to it
};

} // namespace

BatchFacts batchFacts(const Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch) {
  return Walk(graph, axes, batch).run();
}

} // namespace autotp

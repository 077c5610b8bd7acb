#include "passes/report/axis_roles.h"

#include "passes/compiled_model.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseSet.h"

namespace autotp {
namespace {

class AxisRoles {
public:
  explicit AxisRoles(const CompiledModel &compiled) : graph_(compiled.graph), axes_(compiled.placement.axes) {
    for (auto [i, input] : indexed(graph_.sources(ValueKind::Input)))
      if (compiled.training.inputs[i].role == "tokens") tokens_.push_back(input);
  }

  llvm::DenseMap<AxisId, llvm::StringRef> run() {
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      if (!graph_.node(id).backward) visit(id);
    for (AxisId leaf : summed_)
      if (made_.contains(leaf)) roles_.try_emplace(leaf, "ffn"); // axes that have no role by then
    return std::move(roles_);
  }

private:
  void visit(NodeId id) {
    const Node &node = graph_.node(id);
    const IndexTerms &terms = axes_.nodes[id].terms;
    for (AxisId term : terms.within)
      if (axes_.arena.size(term) == words_) name(term, "vocabulary");
    if (node.is("gather_elements")) picked(terms.lookup);
    if (node.is("gather") && isToken(node.operands[1])) {
      words_ = axes_.arena.size(terms.lookup);
      name(terms.lookup, "vocabulary");
    }
    if (terms.classes != kNoAxis) picked(terms.classes);
    if (node.is("attention"))
      for (unsigned k = 0; k < 3; ++k)
        name(terms.ins[k][2], "heads");
    if (node.is("softmax"))
      for (AxisId term : llvm::ArrayRef<AxisId>(terms.ins[0]).drop_back())
        if (terms.ins[0].size() > 2) name(term, "heads");
    if (node.is("matmul")) visitProduct(node, terms);
  }

  /// Names an axis of which a label picks one element.
  void picked(AxisId axis) {
    if (axis != kNoAxis) name(axis, axes_.arena.size(axis) == words_ ? "vocabulary" : "classes");
  }

  void visitProduct(const Node &node, const IndexTerms &terms) {
    for (unsigned k = 0; k < 2; ++k) {
      if (!isWeight(node.operands[k])) continue;
      for (AxisId term : terms.ins[k])
        for (AxisId leaf : leavesOf(term)) {
          const bool isSummed = has(terms.contracted[0], leaf), isShared = has(terms.ins[1 - k], leaf);
          if (isShared && !isSummed) roles_.try_emplace(leaf, "experts");
          if (isSummed) summed_.push_back(leaf);
          if (!isShared) made_.insert(leaf);
        }
    }
  }

  /// Whether the value is a parameter, perhaps in another shape or only a part of it.
  bool isWeight(ValueId value) const { return graph_.value(sourceOf(value)).kind == ValueKind::Parameter; }
  bool isToken(ValueId value) const { return llvm::is_contained(tokens_, sourceOf(value)); }
  ValueId sourceOf(ValueId value) const {
    const Node *node = graph_.producer(value);
    while (node && (node->is("reshape") || node->is("transpose") || node->is("cast") || node->is("slice") ||
                    node->is("gather"))) {
      value = node->operands[0];
      node = graph_.producer(value);
    }
    return value;
  }

  llvm::SmallVector<AxisId> leavesOf(AxisId term) const {
    llvm::SmallVector<AxisId> leaves;
    if (term == kNoAxis) return leaves;
    for (AxisId leaf : axes_.arena.leaves(term))
      leaves.push_back(axes_.arena.find(leaf));
    return leaves;
  }
  bool has(llvm::ArrayRef<AxisId> terms, AxisId leaf) const {
    return llvm::any_of(terms, [&](AxisId term) { return llvm::is_contained(leavesOf(term), leaf); });
  }
  void name(AxisId term, llvm::StringRef role) {
    for (AxisId leaf : leavesOf(term))
      roles_.try_emplace(leaf, role);
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  llvm::SmallVector<ValueId, 2> tokens_;
  int64_t words_ = 0; ///< the number of rows of the table that tokens look up
  llvm::SmallVector<AxisId, 0> summed_;
  llvm::DenseSet<AxisId> made_; // only looked up
  llvm::DenseMap<AxisId, llvm::StringRef> roles_;
};

} // namespace

llvm::DenseMap<AxisId, llvm::StringRef> axisRoles(const CompiledModel &compiled) { return AxisRoles(compiled).run(); }

} // namespace autotp

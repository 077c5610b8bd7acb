#include "passes/report/why.h"

#include "compiler/ir/gradient_outputs.h"
#include "passes/compiled_model.h"
#include "passes/report/module_names.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <queue>

namespace autotp {
namespace {

/// A value that shares an axis with the value before it in a path, and the node by which it does.
struct Link {
  ValueId value = kNone;
  NodeId node = kNone;
};

class Explanation {
public:
  Explanation(const CompiledModel &compiled, llvm::raw_ostream &os)
      : compiled_(compiled), graph_(compiled.graph), axes_(compiled.placement.axes), chosen_(compiled.placement.chosen),
        os_(os) {}

  void print(ValueId value) {
    const Value &v = graph_.value(value);
    os_ << "value       " << nameOf(value) << " : " << v.type.text();
    if (v.producer != kNone) os_ << ", result of " << textOf(v.producer);
    os_ << "\nplacement   " << placementOf(value) << "\n";
    printReduction(value);
    if (hasTermsPerUse(graph_, value)) {
      os_ << "            a constant, of which every use takes the part that it needs\n";
      return;
    }
    for (auto [d, term] : indexed(axes_.values[value]))
      printDimension(value, unsigned(d), term);
  }

private:
  bool isSplit(AxisId term) const { return isSharded(axes_.arena, term, chosen_.assignment); }

  std::string placementOf(ValueId value) const {
    std::string text;
    if (!hasTermsPerUse(graph_, value))
      for (auto [d, term] : indexed(axes_.values[value]))
        if (term != kNoAxis && isSplit(term)) text += (text.empty() ? "Shard(" : ", ") + std::to_string(d);
    if (!text.empty()) text += ")";
    const Reductions &reductions = compiled_.placement.reductions;
    if (reductions.isPartial[value] && !reductions.isReduced[value])
      text += (text.empty() ? "" : ", ") + std::string("Partial");
    return text.empty() ? "Replicate" : text;
  }

  void printReduction(ValueId value) const {
    const Reductions &reductions = compiled_.placement.reductions;
    if (!reductions.isPartial[value]) return;
    os_ << "            each tp rank has a part of its sum when its node has run, ";
    os_ << (reductions.isReduced[value] ? "and it is reduced at once\n"
                                        : "and it is reduced after nodes that it passes through\n");
  }

  void printDimension(ValueId value, unsigned d, AxisId term) {
    os_ << "dimension " << d << " of size " << graph_.type(value).shape[d];
    if (term == kNoAxis) {
      os_ << " has no axis\n";
      return;
    }
    const llvm::SmallVector<AxisId> leaves = axes_.arena.leaves(term);
    os_ << (leaves.size() > 1 ? " runs over several axes\n" : " runs over one axis\n");
    for (AxisId leaf : leaves)
      printLeaf(value, axes_.arena.find(leaf));
  }

  void printLeaf(ValueId value, AxisId leaf) {
    const auto decision =
        llvm::find_if(chosen_.decisions, [&](const AxisDecision &d) { return axes_.arena.find(d.leaf) == leaf; });
    const bool isOfParameter = decision != chosen_.decisions.end();
    os_ << "  axis " << (isOfParameter ? withModuleNames(compiled_, decision->name) : "of no parameter") << ", size "
        << axes_.arena.size(leaf) << ": ";
    if (!isOfParameter) {
      os_ << (isSplit(leaf) ? "sharded" : "whole, since tp divides the work of parameters") << "\n";
      return;
    }
    if (decision->isChosen)
      os_ << llvm::formatv("sharded over tp, which is estimated to save {0:f3} ms of work and to send for {1:f3} ms\n",
                           decision->savedSeconds * 1e3, decision->sentSeconds * 1e3);
    else
      os_ << "whole, since " << withModuleNames(compiled_, decision->reason) << "\n";
    printPath(value, leaf);
  }

  /// The shortest way over nodes from the value to a parameter that has the leaf.
  void printPath(ValueId value, AxisId leaf) {
    std::vector<Link> from(graph_.numValues());
    std::queue<ValueId> open;
    open.push(value);
    from[value].value = value;
    while (!open.empty() && graph_.value(open.front()).kind != ValueKind::Parameter) {
      const ValueId next = open.front();
      open.pop();
      visitNeighbours(next, leaf, from, open);
    }
    if (open.empty()) return;
    std::vector<Link> path;
    for (ValueId at = open.front(); at != value; at = from[at].value)
      path.push_back({at, from[at].node});
    for (const Link &link : llvm::reverse(path))
      os_ << "    by " << textOf(link.node) << " also of " << nameOf(link.value) << ", dimension "
          << dimensionOf(link.value, leaf) << "\n";
  }

  void visitNeighbours(ValueId value, AxisId leaf, std::vector<Link> &from, std::queue<ValueId> &open) {
    auto visit = [&](NodeId id) {
      const Node &node = graph_.node(id);
      auto reach = [&](ValueId other) {
        if (from[other].value != kNone || hasTermsPerUse(graph_, other) || dimensionOf(other, leaf) < 0) return;
        from[other] = {value, id};
        open.push(other);
      };
      for (auto [k, operand] : indexed(node.operands))
        if (!axes_.nodes[id].isCut[k]) reach(operand);
      for (ValueId result : node.results)
        reach(result);
    };
    if (graph_.value(value).producer != kNone) visit(graph_.value(value).producer);
    for (const Use &use : graph_.value(value).uses)
      visit(use.node);
  }

  /// The dimension whose term has the leaf; -1 if none has.
  int dimensionOf(ValueId value, AxisId leaf) const {
    for (auto [d, term] : indexed(axes_.values[value]))
      if (term != kNoAxis &&
          llvm::any_of(axes_.arena.leaves(term), [&](AxisId other) { return axes_.arena.find(other) == leaf; }))
        return int(d);
    return -1;
  }

  /// A parameter's module name if there is one, else the value's own.
  std::string nameOf(ValueId value) const {
    const std::string &own = graph_.value(value).name;
    return compiled_.source.moduleNames.count(own) ? moduleNameOf(compiled_, own).str() : "%" + own;
  }

  std::string textOf(NodeId id) const {
    const Node &node = graph_.node(id);
    return node.op.str() + (node.origin.empty() ? "" : " '" + escaped(node.origin) + "'") +
           (node.backward ? " (backward)" : "");
  }

  const CompiledModel &compiled_;
  const Graph &graph_;
  const GraphAxes &axes_;
  const ChosenAxes &chosen_;
  llvm::raw_ostream &os_;
};

/// kNone if the name is none's.
ValueId valueNamed(const CompiledModel &compiled, llvm::StringRef name) {
  const Graph &graph = compiled.graph;
  const bool isGradient = name.consume_front("grad:");
  for (const auto &[parameter, gradient] : gradientOutputs(graph))
    if (isGradient && graph.value(parameter).name == name) return gradient;
  for (ValueId id = 0; id < graph.numValues() && !isGradient; ++id)
    if (graph.value(id).name == name || moduleNameOf(compiled, graph.value(id).name) == name) return id;
  return kNone;
}

llvm::Error unknown(const CompiledModel &compiled, llvm::StringRef name) {
  constexpr size_t kMost = 8;
  llvm::SmallVector<std::string, kMost> like;
  for (ValueId id = 0; id < compiled.graph.numValues() && like.size() < kMost; ++id) {
    const llvm::StringRef own = compiled.graph.value(id).name;
    for (llvm::StringRef known : {moduleNameOf(compiled, own), own})
      if (known.contains_insensitive(name)) {
        like.push_back(escaped(known));
        break;
      }
  }
  return problem("--why", "the graph has no value '" + escaped(name) + "'",
                 like.empty() ? "--print-after canonicalise-gradients lists all of them"
                              : "these are like it: " + llvm::join(like, ", "));
}

} // namespace

llvm::Error explainValue(const CompiledModel &compiled, llvm::StringRef name, llvm::raw_ostream &os) {
  name.consume_front("%");
  if (compiled.placement.reductions.isPartial.size() != compiled.graph.numValues())
    return problem("--why", "nothing is placed before the pass place-reductions",
                   "let --stop-after name it, or a later pass");
  const ValueId value = valueNamed(compiled, name);
  if (value == kNone) return unknown(compiled, name);
  Explanation(compiled, os).print(value);
  return llvm::Error::success();
}

} // namespace autotp

#include "passes/shard/choose_axes.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/Twine.h"

namespace autotp {
namespace {

/// Bytes of a parameter's element over a step: weight, gradient and two optimizer states, in f32.
constexpr double kBytesPerParameterElement = 16;

struct Candidate {
  AxisId leaf;
  std::string name;
  llvm::SmallVector<ValueId, 4> parameters;
  double elements = 0, flops = 0, sentBytes = 0, reductions = 0;
  std::string whole;                 ///< why it cannot be sharded at all
  llvm::DenseSet<AxisId> multiplies; ///< other leaves it meets in one value
  llvm::DenseSet<ValueId> reduced;   ///< sums that it leaves pending, each counted once
  AxisId groupPartner = kNoAxis;     ///< in a product (this partner): heads that share keys and values
};

using LeafSet = llvm::SmallVector<AxisId, 8>;

class Chooser {
public:
  Chooser(const Graph &graph, const GraphAxes &axes, int tp, const MachineModel &machine)
      : graph_(graph), axes_(axes), tp_(tp), machine_(machine) {}

  ChosenAxes run(ShardMode mode) {
    collectCandidates();
    for (ValueId id = 0; id < graph_.numValues(); ++id)
      meetInValue(axes_.values[id]);
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      visitNode(id);
    return take(mode);
  }

private:
  void collectCandidates() {
    for (const ParameterInfo &parameter : graph_.parameters) {
      llvm::ArrayRef<AxisId> terms = axes_.values[parameter.value];
      for (const auto &[d, term] : indexed(terms)) {
        if (term == kNoAxis) continue;
        llvm::SmallSetVector<AxisId, 8> leaves;
        for (AxisId leaf : axes_.arena.leaves(term))
          leaves.insert(axes_.arena.find(leaf));
        for (AxisId leaf : leaves)
          addTo(leaf, parameter.value, d, leaves.size() > 1);
        findPartners(term);
      }
    }
  }

  void addTo(AxisId leaf, ValueId parameter, size_t dim, bool isPart) {
    if (axes_.arena.size(leaf) < 2) return;
    auto [at, isNew] = candidates_.insert({leaf, Candidate()});
    Candidate &c = at->second;
    if (isNew) {
      c.leaf = leaf;
      c.name =
          (graph_.value(parameter).name + (isPart ? " within dimension " : " dimension ") + llvm::Twine(dim)).str();
    }
    if (llvm::is_contained(c.parameters, parameter)) return;
    c.parameters.push_back(parameter);
    c.elements += double(graph_.type(parameter).elements());
  }

  /// (a b) side by side in a product: where a is smaller than tp, b is shared among the coordinates of each a.
  void findPartners(AxisId term) {
    for (AxisId segment : axes_.arena.segments(term)) {
      llvm::SmallVector<AxisId> factors = axes_.arena.factors(segment);
      for (size_t i = 0; i + 1 < factors.size(); ++i) {
        AxisId a = axes_.arena.find(factors[i]), b = axes_.arena.find(factors[i + 1]);
        auto at = candidates_.find(a);
        if (at != candidates_.end() && at->second.groupPartner == kNoAxis && candidates_.count(b))
          at->second.groupPartner = b;
      }
    }
  }

  /// Leaves of one value multiply, unless they lie in different segments of one concat.
  LeafSet meetInTerm(AxisId term) {
    LeafSet all;
    for (AxisId segment : axes_.arena.segments(term)) {
      LeafSet own;
      for (AxisId factor : axes_.arena.factors(segment)) {
        AxisId root = axes_.arena.find(factor);
        LeafSet inner = axes_.arena.kind(root) == AxisArena::Kind::Concat ? meetInTerm(root) : LeafSet{root};
        meet(own, inner);
        own.append(inner.begin(), inner.end());
      }
      for (AxisId leaf : own)
        if (!llvm::is_contained(all, leaf)) all.push_back(leaf);
    }
    return all;
  }

  void meet(llvm::ArrayRef<AxisId> some, llvm::ArrayRef<AxisId> others) {
    for (AxisId a : some)
      for (AxisId b : others) {
        auto at = candidates_.find(a), to = candidates_.find(b);
        if (a == b) {
          if (at != candidates_.end()) at->second.whole = "it meets itself in one value";
          continue;
        }
        if (at == candidates_.end() || to == candidates_.end()) continue;
        at->second.multiplies.insert(b);
        to->second.multiplies.insert(a);
      }
  }

  void meetInValue(llvm::ArrayRef<AxisId> terms) {
    LeafSet seen;
    for (AxisId term : terms) {
      if (term == kNoAxis) continue;
      LeafSet own = meetInTerm(term);
      meet(seen, own);
      seen.append(own.begin(), own.end());
    }
  }

  void visitNode(NodeId id) {
    const Node &node = graph_.node(id);
    const IndexTerms &terms = axes_.nodes[id].terms;
    for (const auto &[axis, reason] : terms.whole)
      for (AxisId leaf : axes_.arena.leaves(axis))
        markWhole(leaf, node.op.str() + ": " + reason);
    for (AxisId term : {terms.lookup, terms.scatter, terms.classes})
      if (term != kNoAxis && axes_.arena.kind(axes_.arena.find(term)) != AxisArena::Kind::Leaf)
        for (AxisId leaf : axes_.arena.leaves(term))
          markWhole(leaf, node.op.str() + ": it is a part of what is looked up");
    llvm::SmallSetVector<AxisId, 8> leaves;
    for (const auto &operand : terms.ins) {
      meetInValue(operand);
      for (AxisId term : operand)
        if (term != kNoAxis)
          for (AxisId leaf : axes_.arena.leaves(term))
            leaves.insert(axes_.arena.find(leaf));
    }
    if (const OpDef &row = opOf(node); row.flops) {
      llvm::SmallVector<Type, 4> operands, results;
      for (ValueId operand : node.operands)
        operands.push_back(graph_.type(operand));
      for (ValueId result : node.results)
        results.push_back(graph_.type(result));
      double flops = row.flops(OpCall{operands, node.attributes, results});
      for (AxisId leaf : leaves)
        if (auto at = candidates_.find(leaf); at != candidates_.end()) at->second.flops += flops;
    }
    for (const auto &[j, result] : indexed(node.results))
      countSent(terms, j, result);
  }

  void markWhole(AxisId leaf, const std::string &reason) {
    auto at = candidates_.find(axes_.arena.find(leaf));
    if (at != candidates_.end() && at->second.whole.empty()) at->second.whole = reason;
  }

  /// A sum that is pending because of a leaf is reduced once, unless it is a parameter's gradient.
  void countSent(const IndexTerms &terms, size_t result, ValueId value) {
    value = endOfSum(value);
    if (graph_.isOutput(value)) return;
    llvm::SmallSetVector<AxisId, 4> pending;
    auto add = [&](AxisId term) {
      if (term == kNoAxis) return;
      for (AxisId leaf : axes_.arena.leaves(term))
        pending.insert(axes_.arena.find(leaf));
    };
    for (AxisId term : terms.contracted[result])
      add(term);
    add(terms.lookup);
    for (AxisId leaf : pending)
      if (auto at = candidates_.find(leaf); at != candidates_.end() && at->second.reduced.insert(value).second) {
        at->second.sentBytes += double(graph_.type(value).bytes());
        at->second.reductions += 1;
      }
  }

  /// Addends of one sum are reduced together: the gradients of Q, K and V's input are one reduction.
  ValueId endOfSum(ValueId value) const {
    while (graph_.value(value).uses.size() == 1 && graph_.node(graph_.value(value).uses[0].node).is("add"))
      value = graph_.node(graph_.value(value).uses[0].node).results[0];
    return value;
  }

  double saved(const Candidate &c) const {
    double share = 1 - 1.0 / tp_;
    return share *
           (c.flops / machine_.flopsPerSecond + c.elements * kBytesPerParameterElement / machine_.linkBytesPerSecond);
  }
  double sent(const Candidate &c) const {
    return 2.0 * (tp_ - 1) / tp_ * c.sentBytes / machine_.linkBytesPerSecond + c.reductions * machine_.latencySeconds;
  }

  ChosenAxes take(ShardMode mode) {
    std::vector<Candidate *> order;
    for (auto &entry : candidates_)
      order.push_back(&entry.second);
    llvm::stable_sort(order, [&](Candidate *a, Candidate *b) {
      return saved(*a) / (sent(*a) + machine_.latencySeconds) > saved(*b) / (sent(*b) + machine_.latencySeconds);
    });
    ChosenAxes chosen;
    llvm::SmallVector<Candidate *, 8> taken;
    for (Candidate *c : order) {
      std::string reason = tp_ == 1 ? "tp is 1" : reasonAgainst(*c, taken, mode);
      if (reason.empty()) {
        taken.push_back(c);
        assign(*c, chosen.assignment);
      }
      chosen.decisions.push_back(
          {c->leaf, c->name, axes_.arena.size(c->leaf), reason.empty(), reason, c->parameters, saved(*c), sent(*c)});
    }
    return chosen;
  }

  std::string reasonAgainst(const Candidate &c, llvm::ArrayRef<Candidate *> taken, ShardMode mode) const {
    if (!c.whole.empty()) return c.whole;
    if (axes_.arena.size(c.leaf) < tp_ && !hasUsablePartner(c))
      return ("its size " + llvm::Twine(axes_.arena.size(c.leaf)) + " is smaller than tp").str();
    for (Candidate *other : taken)
      if (c.multiplies.count(other->leaf) || other->groupPartner == c.leaf)
        return "it multiplies with " + other->name + ", which saves more";
    if (mode == ShardMode::Auto && sent(c) > saved(c)) return "what it would send outweighs what it saves";
    return "";
  }

  bool hasUsablePartner(const Candidate &c) const {
    return c.groupPartner != kNoAxis && candidates_.find(c.groupPartner)->second.whole.empty();
  }

  void assign(const Candidate &c, Assignment &assignment) const {
    int64_t size = axes_.arena.size(c.leaf);
    if (!hasUsablePartner(c) || size % tp_ == 0) return assignment.assign(c.leaf, evenIntervals(size, tp_));
    auto tiles = rectangles(size, axes_.arena.size(c.groupPartner), tp_);
    llvm::SmallVector<Interval> own, partner;
    for (const auto &[mine, theirs] : tiles) {
      own.push_back(mine);
      partner.push_back(theirs);
    }
    assignment.assign(c.leaf, own);
    if (size < tp_) assignment.assign(c.groupPartner, partner);
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  int tp_;
  MachineModel machine_;
  llvm::MapVector<AxisId, Candidate> candidates_;
};

} // namespace

ChosenAxes chooseAxes(const Graph &graph, const GraphAxes &axes, int tp, ShardMode mode, const MachineModel &machine) {
  return Chooser(graph, axes, tp, machine).run(mode);
}

} // namespace autotp

#include "passes/shard/choose_axes.h"

#include "compiler/ops/op_def.h"
#include "compiler/sharding/axis_facts.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/Twine.h"

namespace autotp {
namespace {

/// Bytes per element of a parameter: weight, gradient and two optimizer states, in f32.
constexpr double kBytesPerParameterElement = 16;

struct Candidate {
  AxisId leaf;
  std::string name;
  llvm::SmallVector<ValueId, 4> parameters;
  double elements = 0, flops = 0;
  llvm::SmallSetVector<ValueId, 4> reduced; ///< values that are Partial if the leaf is sharded, and reduced over tp
  /// Bytes and number of the reductions in operators that run over the whole leaf, such as softmax.
  double withinBytes = 0, withinTimes = 0;
  const Candidate *keptBy = nullptr; ///< a taken candidate that multiplies with this one, so that this one stays whole
  AxisId groupPartner = kNoAxis;     ///< the next factor in a product, as the query heads that share a KV head
};

class Chooser {
public:
  Chooser(const Graph &graph, const GraphAxes &axes, int tp, const AxisRules &rules, const MachineModel &machine)
      : graph_(graph), axes_(axes), facts_(graph, axes), tp_(tp), rules_(rules), machine_(machine) {}

  llvm::Expected<ChosenAxes> run(ShardMode mode) {
    collectCandidates();
    findWithin();
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      visitNode(id);
    ChosenAxes chosen;
    for (const AxisRules::Demand &demand : rules_.demands)
      if (llvm::Error error = obey(demand, chosen)) return error;
    takeWorthwhile(mode, chosen);
    return chosen;
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

  /// In a product (a b), b is the partner of a: if a is smaller than tp, the ranks that share an element of a divide b.
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

  /// Finds the leaves that softmax and its kin or a maximum run over, with what their reductions send if the leaf is
  /// sharded, and the values that depend on parameters alone.
  void findWithin() {
    for (ValueId id : graph_.sources(ValueKind::Parameter))
      ofParameters_.insert(id);
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next) {
      const Node &node = graph_.node(id);
      if (llvm::any_of(node.operands, [&](ValueId v) { return ofParameters_.count(v); }) &&
          llvm::all_of(node.operands, [&](ValueId v) {
            return ofParameters_.count(v) || graph_.value(v).kind == ValueKind::Constant;
          }))
        ofParameters_.insert(node.results.begin(), node.results.end());
      const IndexTerms &terms = axes_.nodes[id].terms;
      auto isReduced = [](const FusedOp &step) { return step.reduce != Reduction::None; };
      double rows = 4, times = double(llvm::count_if(opOf(node).formula, isReduced));
      for (AxisId term : terms.within)
        rows /= double(axes_.arena.size(term));
      for (AxisId term : terms.within)
        for (AxisId leaf : axes_.arena.leaves(term)) {
          within_.insert(axes_.arena.find(leaf));
          auto at = candidates_.find(axes_.arena.find(leaf));
          if (at == candidates_.end()) continue;
          at->second.withinTimes += times;
          at->second.withinBytes += times * rows * double(graph_.type(node.operands[0]).elements());
        }
    }
  }

  /// Whether the FLOPs of `node` count in favour of sharding `leaf`. For a leaf that a softmax runs over, only products
  /// with a parameter that has the leaf count. Other nodes can have it too, as the table of positions gives its axis to
  /// all tokens, but they are no reason to shard it.
  bool dividesWork(const Node &node, const IndexTerms &terms, AxisId leaf) const {
    if (!within_.count(leaf)) return true;
    for (auto [k, operand] : indexed(node.operands)) {
      if (!ofParameters_.count(operand)) continue;
      for (AxisId term : terms.ins[k])
        if (term != kNoAxis &&
            llvm::any_of(axes_.arena.leaves(term), [&](AxisId own) { return axes_.arena.find(own) == leaf; }))
          return true;
    }
    return false;
  }

  void visitNode(NodeId id) {
    const Node &node = graph_.node(id);
    const IndexTerms &terms = axes_.nodes[id].terms;
    llvm::SmallSetVector<AxisId, 8> leaves;
    for (const auto &operand : terms.ins)
      for (AxisId term : operand)
        if (term != kNoAxis)
          for (AxisId leaf : axes_.arena.leaves(term))
            leaves.insert(axes_.arena.find(leaf));
    if (double flops = flopsOf(graph_, node); flops > 0)
      for (AxisId leaf : leaves)
        if (auto at = candidates_.find(leaf); at != candidates_.end() && dividesWork(node, terms, leaf))
          at->second.flops += flops;
    for (const auto &[j, result] : indexed(node.results))
      countSent(terms, j, result);
  }

  /// Notes the value as one reduction for each leaf that makes it Partial. The gradient of a parameter is left out,
  /// since its bucket is reduced anyway.
  void countSent(const IndexTerms &terms, size_t result, ValueId value) {
    value = endOfSum(value);
    if (graph_.isOutput(value)) return;
    llvm::SmallSetVector<AxisId, 4> leaves;
    auto add = [&](AxisId term) {
      if (term == kNoAxis) return;
      for (AxisId leaf : axes_.arena.leaves(term))
        leaves.insert(axes_.arena.find(leaf));
    };
    for (AxisId term : terms.contracted[result])
      add(term);
    add(terms.lookup);
    for (AxisId leaf : leaves)
      if (auto at = candidates_.find(leaf); at != candidates_.end()) at->second.reduced.insert(value);
  }

  /// The value in which a chain of additions ends. Its addends are reduced together: the gradients of the input of Q, K
  /// and V are added first and need one reduction.
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
  /// Seconds of communication that taking `c` adds. A sum that an axis taken before makes Partial is not counted, since
  /// it is reduced only once.
  double sent(const Candidate &c) const {
    double bytes = c.withinBytes, times = c.withinTimes;
    for (ValueId value : c.reduced)
      if (!reduced_.count(value)) {
        bytes += double(graph_.type(value).bytes());
        ++times;
      }
    return 2.0 * (tp_ - 1) / tp_ * bytes / machine_.linkBytesPerSecond + times * machine_.latencySeconds;
  }
  double worth(const Candidate &c) const { return saved(c) / (sent(c) + machine_.latencySeconds); }

  /// Takes the first leaf of the demand that may be sharded, unless one of its leaves is taken already.
  llvm::Error obey(const AxisRules::Demand &demand, ChosenAxes &chosen) {
    if (tp_ == 1 || llvm::any_of(demand.leaves, [&](AxisId leaf) { return chosen.assignment.has(leaf); }))
      return llvm::Error::success();
    std::string reason = "it has no axis that could be sharded";
    for (AxisId leaf : demand.leaves) {
      auto at = candidates_.find(leaf);
      if (at == candidates_.end()) continue;
      std::string against = reasonAgainst(at->second, ShardMode::All);
      if (against.empty()) return take(at->second, chosen), llvm::Error::success();
      if (leaf == demand.leaves.front()) reason = against;
    }
    return problem("partition_config",
                   demand.who + ": it cannot be sharded over " + std::to_string(tp_) + " ranks: " + reason,
                   "skip it, or change the rule that is in its way");
  }

  void take(Candidate &c, ChosenAxes &chosen) {
    for (auto &entry : candidates_) // the candidates that `c` keeps whole from now on
      if (Candidate &other = entry.second;
          !other.keptBy && (facts_.multiply(other.leaf, c.leaf) || c.groupPartner == other.leaf))
        other.keptBy = &c;
    record(c, "", chosen);
    assign(c, chosen.assignment);
    isTaken_.insert(c.leaf);
    reduced_.insert(c.reduced.begin(), c.reduced.end());
  }

  /// Takes the candidate of the highest worth until none may be taken, then records the others with their reasons, and
  /// those that were sharded as partners.
  void takeWorthwhile(ShardMode mode, ChosenAxes &chosen) {
    std::vector<Candidate *> open;
    for (auto &entry : candidates_)
      if (!isTaken_.count(entry.first)) open.push_back(&entry.second);
    auto reason = [&](const Candidate &c) {
      std::string against = reasonAgainst(c, mode);
      return against.empty() && !rules_.usesDefaults ? "no rule names it" : against;
    };
    while (true) {
      auto best = open.end();
      for (auto at = open.begin(); at != open.end(); ++at)
        if (reason(**at).empty() && (best == open.end() || worth(**at) > worth(**best))) best = at;
      if (best == open.end()) break;
      take(**best, chosen);
      open.erase(best);
    }
    llvm::stable_sort(open, [&](Candidate *a, Candidate *b) { return worth(*a) > worth(*b); });
    for (Candidate *c : open)
      record(*c, chosen.assignment.has(c->leaf) ? "" : reason(*c), chosen);
  }

  void record(const Candidate &c, std::string reason, ChosenAxes &chosen) const {
    bool isChosen = reason.empty();
    chosen.decisions.push_back(
        {c.leaf, c.name, axes_.arena.size(c.leaf), isChosen, std::move(reason), c.parameters, saved(c), sent(c)});
  }

  std::string reasonAgainst(const Candidate &c, ShardMode mode) const {
    if (tp_ == 1) return "tp is 1";
    for (const auto &[leaf, why] : rules_.kept)
      if (leaf == c.leaf) return why;
    if (std::string reason = facts_.whole(c.leaf); !reason.empty()) return reason;
    if (axes_.arena.size(c.leaf) < tp_ && !hasUsablePartner(c))
      return ("its size " + llvm::Twine(axes_.arena.size(c.leaf)) + " is smaller than tp").str();
    if (c.keptBy) return "it multiplies with " + c.keptBy->name + ", which saves more";
    if (mode == ShardMode::Auto && sent(c) > saved(c)) return "what it would send outweighs what it saves";
    return "";
  }

  bool hasUsablePartner(const Candidate &c) const {
    return c.groupPartner != kNoAxis && facts_.whole(c.groupPartner).empty();
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
  AxisFacts facts_;
  int tp_;
  const AxisRules &rules_;
  MachineModel machine_;
  llvm::MapVector<AxisId, Candidate> candidates_;
  llvm::DenseSet<AxisId> isTaken_, within_;
  llvm::DenseSet<ValueId> ofParameters_;
  llvm::DenseSet<ValueId> reduced_; ///< values that the taken leaves make Partial
};

} // namespace

llvm::Expected<ChosenAxes> chooseAxes(const Graph &graph, const GraphAxes &axes, int tp, ShardMode mode,
                                      const AxisRules &rules, const MachineModel &machine) {
  return Chooser(graph, axes, tp, rules, machine).run(mode);
}

} // namespace autotp

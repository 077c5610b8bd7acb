#include "passes/partition/localise.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "compiler/sharding/reshard.h"
#include "passes/partition/reduce_within.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace autotp {
namespace {

int64_t heldBefore(const Cover &cover, int64_t bound) {
  int64_t n = 0;
  for (const Interval &i : cover)
    if (i.begin < bound) n += std::min(i.end, bound) - i.begin;
  return n;
}

/// The first index of a looked-up dimension that this rank holds. Of an empty cover any index serves.
int64_t beginOf(const Cover &cover) { return cover.empty() ? 0 : cover.front().begin; }

class Localiser {
public:
  Localiser(const PlacedGraph &placed, int tpRank)
      : placed_(placed), graph_(placed.graph), arena_(placed.axes.arena), tpRank_(tpRank), builder_(program_.graph),
        local_(graph_.numValues(), kNone), whole_(graph_.numValues(), kNone) {}

  llvm::Expected<LocalProgram> run() {
    for (ValueId id : graph_.sources(ValueKind::Input)) {
      Type type = graph_.type(id);
      if (placed_.shardsInputs) type.shape = shapeOf(heldOf(id, tpRank_));
      local_[id] = program_.graph.addInput(graph_.value(id).name, type);
    }
    for (ValueId id : graph_.sources(ValueKind::State)) // states are never sharded
      local_[id] = program_.graph.addState(graph_.value(id).name, graph_.type(id));
    for (const ParameterInfo &parameter : graph_.parameters)
      addParameter(parameter);
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      visit(id);
    finish();
    // A rank that adds nothing to a sum may not need the operands of its collective, but the other ranks wait for its
    // part.
    program_.graph.removeDead([](const Node &node) { return opOf(node).isCollective; });
    program_.values = local_;
    program_.tpRank = tpRank_;
    if (errors_) return std::move(errors_);
    return std::move(program_);
  }

private:
  void addParameter(const ParameterInfo &info) {
    ValueId id = info.value;
    Type type = graph_.type(id);
    LocalParameter parameter{id, kNone, kNone, heldOf(id, tpRank_), {}, false, false};
    type.shape = shapeOf(parameter.covers);
    bool isWhole = type == graph_.type(id);
    parameter.local = local_[id] =
        program_.graph.addParameter(graph_.value(id).name, type, isWhole ? graph_.value(id).contents : std::nullopt);
    program_.graph.parameters.push_back({parameter.local, info.aliases});
    llvm::SmallVector<Covers, 8> earlier = heldByAll(id);
    const Covers whole = wholeCovers(graph_.type(id).shape);
    parameter.isReplicated = llvm::all_of(earlier, [&](const Covers &held) { return held == whole; });
    earlier.truncate(size_t(tpRank_));
    parameter.counted = flatFirstHeld(parameter.covers, earlier);
    program_.parameters.push_back(std::move(parameter));
  }

  Covers heldOf(ValueId id, int tpRank) const {
    return coversOf(arena_, placed_.axes.values[id], graph_.type(id).shape, placed_.ofValue(id), tpRank);
  }
  /// What a tp rank holds of a result when its node has run, before a reduction that may scatter it.
  Covers computedBy(NodeId node, ValueId result, int tpRank) const {
    return coversOf(arena_, placed_.axes.values[result], graph_.type(result).shape, placed_.ofNode(node), tpRank);
  }
  llvm::SmallVector<Covers, 8> computedByAll(NodeId node, ValueId result) const {
    llvm::SmallVector<Covers, 8> covers;
    for (int c = 0; c < placed_.tp; ++c)
      covers.push_back(computedBy(node, result, c));
    return covers;
  }
  Covers wantedBy(NodeId node, unsigned k, int tpRank) const {
    const auto &terms = placed_.axes.nodes[node].terms.ins[k];
    return coversOf(arena_, terms, graph_.type(graph_.node(node).operands[k]).shape, placed_.ofNode(node), tpRank);
  }
  llvm::SmallVector<Covers, 8> heldByAll(ValueId id) const {
    llvm::SmallVector<Covers, 8> held;
    for (int c = 0; c < placed_.tp; ++c)
      held.push_back(heldOf(id, c));
    return held;
  }

  bool staysPartial(ValueId id) const { return placed_.reductions.isPartial[id] && !placed_.reductions.isReduced[id]; }

  using CoversOf = llvm::function_ref<Covers(int tpRank)>;

  /// The part of a value that one use or output reads, given as a function of the tp rank. `mayDiffer`: whether it may
  /// differ from what the ranks hold. Every rank must decide alike whether to communicate, so all covers are compared.
  ValueId part(ValueId id, CoversOf wanted, bool mayDiffer) {
    const Value &value = graph_.value(id);
    Covers own = wanted(tpRank_);
    if (value.kind == ValueKind::Constant) return constantPart(id, own);
    const Node *producer = graph_.producer(id);
    if (value.type.elements() == 0)
      return builder_.full(Type{value.type.dtype, shapeOf(own)}, 0); // no rank holds a part
    if (hasTermsPerUse(graph_, id)) // without operands, so that each rank makes its part
      return builder_.makeTyped(producer->op, {}, Type{value.type.dtype, shapeOf(own)}, producer->attributes);
    if ((value.kind == ValueKind::Input && !placed_.shardsInputs) || value.kind == ValueKind::State)
      return takePart(builder_, local_[id], wholeCovers(value.type.shape), own);
    bool isHeld = true, isWhole = true;
    for (int c = 0; c < placed_.tp && mayDiffer; ++c) {
      Covers held = heldOf(id, c);
      isHeld &= held == wanted(c);
      isWhole &= held == wholeCovers(value.type.shape);
    }
    if (isHeld) return local_[id];
    if (isWhole) return takePart(builder_, local_[id], wholeCovers(value.type.shape), own);
    if (whole_[id] == kNone) whole_[id] = gatherWhole(builder_, local_[id], heldByAll(id), value.type.shape);
    return takePart(builder_, whole_[id], wholeCovers(value.type.shape), own);
  }

  ValueId constantPart(ValueId id, const Covers &wanted) {
    const Value &value = graph_.value(id);
    auto &known = constants_[id];
    for (const auto &[covers, local] : known)
      if (covers == wanted) return local;
    ValueId local = program_.graph.addConstant(value.name, partOf(*value.contents, wanted));
    known.push_back({wanted, local});
    if (wanted != wholeCovers(value.type.shape)) program_.constants.push_back({local, wanted});
    return local;
  }

  ValueId operand(NodeId id, unsigned k) {
    ValueId value = graph_.node(id).operands[k];
    bool mayDiffer = placed_.axes.nodes[id].isCut[k] || &placed_.ofNode(id) != &placed_.ofValue(value);
    return part(
        value, [&](int c) { return wantedBy(id, k, c); }, mayDiffer);
  }

  /// Which points of a box this tp rank is the first to hold. `box` gives the box of each tp rank.
  FirstHeld firstHere(CoversOf box) const {
    llvm::SmallVector<Covers, 8> earlier;
    for (int c = 0; c < tpRank_; ++c)
      earlier.push_back(box(c));
    return firstHeld(box(tpRank_), earlier);
  }

  /// `local` with 0 for elements that do not count on this rank. `dims` maps each deciding dimension of `first` to a
  /// dimension of `local`.
  ValueId masked(ValueId local, const FirstHeld &first, llvm::ArrayRef<size_t> dims) {
    Array mask = first.mask;
    mask.type.shape.assign(program_.graph.type(local).shape.size(), 1);
    for (size_t i = 0; i < dims.size(); ++i)
      mask.type.shape[dims[i]] = first.mask.type.shape[i];
    ValueId counts = program_.graph.addConstant("first_holder", toTensor(mask));
    return builder_.make("where", {counts, local, builder_.scalar(program_.graph.type(local).dtype, 0)});
  }

  /// An addend that is not Partial, beside addends that are: only the first holder of each element keeps it. For a
  /// concat, elements are those of the operand; for a sum, those of the result to which the addend is broadcast.
  ValueId addendOnce(NodeId id, unsigned k, ValueId local) {
    const Node &node = graph_.node(id);
    bool isOwn = placed_.axes.nodes[id].terms.cutDim >= 0;
    FirstHeld first = firstHere([&](int c) { return isOwn ? wantedBy(id, k, c) : computedBy(id, node.results[0], c); });
    if (!isOwn && first.points == FirstHeld::Points::Some) {
      Type type = program_.graph.type(local);
      type.shape = shapeOf(computedBy(id, node.results[0], tpRank_));
      if (program_.graph.type(local).shape != type.shape) local = builder_.makeTyped("expand", {local}, type);
    }
    return countedOnce(local, first);
  }

  /// The iteration space of a node: each term of its dimensions once. Classes are left out, since they are reduced
  /// within the node.
  llvm::SmallVector<AxisId, 8> pointTerms(NodeId id) const {
    const IndexTerms &terms = placed_.axes.nodes[id].terms;
    llvm::SmallVector<AxisId, 8> all;
    for (const auto *lists : {&terms.ins, &terms.outs})
      for (const auto &dims : *lists)
        for (AxisId term : dims)
          if (term != kNoAxis && term != terms.classes && !llvm::is_contained(all, arena_.find(term)))
            all.push_back(arena_.find(term));
    return all;
  }

  /// Adds the local node. If an operand is Partial and the result with it, addends that are not must count once; if the
  /// node itself makes the sum Partial, each point of its iteration space must.
  void visit(NodeId id) {
    const Node &node = graph_.node(id);
    if (hasTermsPerUse(graph_, node.results[0])) return;
    builder_.origin = node.origin;
    builder_.backward = node.backward;
    bool passes = llvm::any_of(node.operands, [&](ValueId v) { return staysPartial(v); });
    llvm::SmallVector<ValueId, 6> operands;
    for (unsigned k = 0; k < node.operands.size(); ++k) {
      operands.push_back(operand(id, k));
      if (passes && opOf(node).isAdditive && !staysPartial(node.operands[k]))
        operands.back() = addendOnce(id, k, operands.back());
    }
    llvm::SmallVector<Type, 3> types;
    for (ValueId result : node.results)
      types.push_back(Type{graph_.type(result).dtype, shapeOf(computedBy(id, result, tpRank_))});
    llvm::SmallVector<ValueId, 3> results = compute(id, operands, types);
    if (!passes && llvm::any_of(node.results, [&](ValueId r) { return placed_.reductions.isPartial[r]; }))
      countOnce(id, operands, types, results);
    for (const auto &[j, result] : indexed(node.results))
      local_[result] = placed_.reductions.isReduced[result] ? reduced(id, result, results[j]) : results[j];
  }

  /// What the uses of a Partial result read after its reduction: all of it, or this rank's part of the sequence.
  ValueId reduced(NodeId id, ValueId result, ValueId local) {
    llvm::SmallVector<Covers, 8> computed = computedByAll(id, result);
    if (placed_.region && placed_.region->held[result] && !placed_.region->nodes[id])
      return reduceScatter(builder_, local, computed[size_t(tpRank_)], heldByAll(result), tpRank_);
    return reduceSum(builder_, local, computed, graph_.type(result).shape, tpRank_);
  }

  /// Makes each point of the iteration space of an operator with a Partial result count once, on the first tp rank that
  /// holds it: a whole segment beside a sharded one is held by all ranks. On the other ranks, an operand in which the
  /// operator is linear is 0 there. Results that are not Partial keep all points.
  void countOnce(NodeId id, llvm::ArrayRef<ValueId> operands, llvm::ArrayRef<Type> types,
                 llvm::MutableArrayRef<ValueId> results) {
    const Node &node = graph_.node(id);
    llvm::SmallVector<AxisId, 8> terms = pointTerms(id);
    FirstHeld first = firstHere([&](int c) {
      Covers box;
      for (AxisId term : terms)
        box.push_back(cover(arena_, term, placed_.ofNode(id), c));
      return box;
    });
    if (first.points == FirstHeld::Points::All) return;
    llvm::SmallVector<ValueId, 3> counted;
    if (first.points == FirstHeld::Points::None) {
      for (const Type &type : types)
        counted.push_back(builder_.full(type, 0));
    } else {
      std::vector<AxisId> deciding;
      for (unsigned d : first.deciding)
        deciding.push_back(terms[d]);
      llvm::SmallVector<ValueId, 6> once(operands.begin(), operands.end());
      if (!maskOneOperand(id, first, deciding, once)) {
        errors_ = llvm::joinErrors(std::move(errors_), problem("node '" + escaped(node.origin) + "'",
                                                               "what several ranks hold of it cannot be counted once",
                                                               "report this, with the model"));
        return;
      }
      counted = compute(id, once, types);
    }
    for (const auto &[j, result] : indexed(node.results))
      if (placed_.reductions.isPartial[result]) results[j] = counted[j];
  }

  /// Returns false if no operand in which the operator is linear has all deciding dimensions.
  bool maskOneOperand(NodeId id, const FirstHeld &first, llvm::ArrayRef<AxisId> deciding,
                      llvm::MutableArrayRef<ValueId> operands) {
    const Node &node = graph_.node(id);
    for (unsigned k = 0; k < operands.size(); ++k) {
      llvm::SmallVector<size_t, 2> dims;
      for (AxisId wanted : deciding)
        for (const auto &[d, term] : indexed(placed_.axes.nodes[id].terms.ins[k]))
          if (term != kNoAxis && arena_.find(term) == wanted) dims.push_back(d);
      if (dims.size() != deciding.size() || !llvm::is_sorted(dims) || !isLinearIn(graph_, node, k)) continue;
      operands[k] = masked(operands[k], first, dims);
      return true;
    }
    return false;
  }

  llvm::SmallVector<ValueId, 3> compute(NodeId id, llvm::ArrayRef<ValueId> operands, llvm::ArrayRef<Type> types) {
    const Node &node = graph_.node(id);
    const IndexTerms &terms = placed_.axes.nodes[id].terms;
    Attributes attributes = node.attributes;
    if (const OnPartFn onPart = opOf(node).onPart)
      onPart(
          attributes, [&](size_t d, int64_t i) { return heldBefore(wantedBy(id, 0, tpRank_)[d], i); }, types[0]);
    if (terms.lookup != kNoAxis) setOffset(attributes, terms.lookup, terms.ins[0], wantedBy(id, 0, tpRank_));
    if (terms.scatter != kNoAxis)
      setOffset(attributes, terms.scatter, terms.outs[0], computedBy(id, node.results[0], tpRank_));
    const bool hasPartOfClasses = terms.classes != kNoAxis && isSharded(arena_, terms.classes, placed_.assignment);
    if (hasPartOfClasses) attributes.set("class_offset", beginOf(wantedBy(id, 0, tpRank_)[1]));
    if (isSharded(arena_, terms.within, placed_.ofNode(id)) || (hasPartOfClasses && !opOf(node).formula.empty()))
      return reducedWithin(id, operands, std::move(attributes));
    auto made = builder_.tryMake(node.op, operands, attributes, types);
    if (!made) {
      errors_ = llvm::joinErrors(
          std::move(errors_),
          placed("node '" + escaped(node.origin) + "' on tp rank " + std::to_string(tpRank_), made.takeError()));
      llvm::SmallVector<ValueId, 3> zeros;
      for (const Type &type : types)
        zeros.push_back(builder_.full(type, 0));
      return zeros;
    }
    return {made->begin(), made->end()};
  }

  /// States which interval of `axis`, which is looked up, is held by a value with these terms and covers.
  void setOffset(Attributes &attributes, AxisId axis, llvm::ArrayRef<AxisId> terms, const Covers &held) const {
    const auto d = size_t(llvm::find(terms, axis) - terms.begin());
    attributes.set("offset", beginOf(held[d]));
    attributes.set("rows", arena_.size(axis));
  }

  /// The tp ranks that hold the same rows as this one.
  RankGroup holdersOf(CoversOf rows) const {
    RankGroup group{plan::TP, {}};
    for (int c = 0; c < placed_.tp; ++c)
      if (rows(c) == rows(tpRank_)) group.ranks.push_back(c);
    return group;
  }

  /// Writes an operator that needs the whole of a sharded index, with collectives among the tp ranks that hold the same
  /// rows.
  llvm::SmallVector<ValueId, 3> reducedWithin(NodeId id, llvm::ArrayRef<ValueId> operands, Attributes attributes) {
    const IndexTerms &terms = placed_.axes.nodes[id].terms;
    if (terms.classes != kNoAxis) attributes.set("classes", arena_.size(terms.classes));
    auto rows = [&](int c) {
      Covers kept = wantedBy(id, 0, c);
      for (auto [d, term] : indexed(terms.ins[0]))
        if (llvm::is_contained(terms.within, term) || term == terms.classes) kept[d].clear();
      return kept;
    };
    const FirstHeld first = firstHere([&](int c) { return wantedBy(id, 0, c); });
    return writeFormula(builder_, opOf(graph_.node(id)), operands, attributes, holdersOf(rows),
                        [&](ValueId v) { return countedOnce(v, first); });
  }

  /// `local` with 0 for elements that an earlier tp rank holds too.
  ValueId countedOnce(ValueId local, const FirstHeld &first) {
    if (first.points == FirstHeld::Points::All) return local;
    if (first.points == FirstHeld::Points::None) return builder_.full(program_.graph.type(local), 0);
    return masked(local, first, llvm::SmallVector<size_t, 2>(first.deciding.begin(), first.deciding.end()));
  }

  void finish() {
    Graph &out = program_.graph;
    builder_.origin = "gradients";
    builder_.backward = true;
    llvm::StringMap<LocalParameter *> byGradient;
    for (LocalParameter &parameter : program_.parameters)
      byGradient[gradientName(graph_.value(parameter.global).name)] = &parameter;
    for (const Output &output : graph_.outputs) {
      LocalParameter *parameter = byGradient.lookup(output.name);
      auto wanted = [&](int c) {
        return parameter ? heldOf(parameter->global, c) : wholeCovers(graph_.type(output.value).shape);
      };
      ValueId local = part(output.value, wanted, true);
      if (parameter) {
        parameter->gradient = local;
        parameter->isPartial = staysPartial(output.value);
      }
      out.outputs.push_back({output.name, local});
    }
  }

  const PlacedGraph &placed_;
  const Graph &graph_;
  const AxisArena &arena_;
  int tpRank_;
  LocalProgram program_;
  Builder builder_;
  std::vector<ValueId> local_, whole_;
  // Only looked up, never iterated over, since its order would not be deterministic.
  llvm::DenseMap<ValueId, std::vector<std::pair<Covers, ValueId>>> constants_;
  llvm::Error errors_ = llvm::Error::success();
};

} // namespace

llvm::Expected<LocalProgram> localise(const PlacedGraph &placed, int tpRank) { return Localiser(placed, tpRank).run(); }

} // namespace autotp

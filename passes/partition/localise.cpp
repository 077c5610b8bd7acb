#include "passes/partition/localise.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "compiler/sharding/reshard.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <set>

namespace autotp {
namespace {

int64_t heldBelow(const Cover &cover, int64_t bound) {
  int64_t n = 0;
  for (const Interval &i : cover)
    if (i.begin < bound) n += std::min(i.end, bound) - i.begin;
  return n;
}

/// Where the one interval of a looked-up dimension begins; an empty one begins anywhere.
int64_t beginOf(const Cover &cover) { return cover.empty() ? 0 : cover.front().begin; }

class Localiser {
public:
  Localiser(const PlacedGraph &placed, int coordinate)
      : p_(placed), g_(placed.graph), arena_(placed.axes.arena), coordinate_(coordinate), b_(program_.graph),
        local_(g_.numValues(), kNone), whole_(g_.numValues(), kNone) {}

  llvm::Expected<LocalProgram> run() {
    for (ValueId id : g_.sources(ValueKind::Input)) {
      Type type = g_.type(id);
      if (p_.shardsInputs) type.shape = shapeOf(heldOf(id, coordinate_));
      local_[id] = program_.graph.addInput(g_.value(id).name, type);
    }
    for (const ParameterInfo &parameter : g_.parameters)
      addParameter(parameter);
    for (NodeId id = g_.first(); id != kNone; id = g_.node(id).next)
      visit(id);
    finish();
    program_.graph.removeDead();
    if (errors_) return std::move(errors_);
    return std::move(program_);
  }

private:
  void addParameter(const ParameterInfo &info) {
    ValueId id = info.value;
    Type type = g_.type(id);
    LocalParameter parameter{id, kNone, kNone, heldOf(id, coordinate_), {}};
    type.shape = shapeOf(parameter.covers);
    bool isWhole = type == g_.type(id);
    parameter.local = local_[id] =
        program_.graph.addParameter(g_.value(id).name, type, isWhole ? g_.value(id).contents : std::nullopt);
    program_.graph.parameters.push_back({parameter.local, info.aliases});
    llvm::SmallVector<Covers, 8> earlier = heldByAll(id);
    earlier.truncate(size_t(coordinate_));
    parameter.counted = heldFirst(parameter.covers, earlier);
    program_.parameters.push_back(std::move(parameter));
  }

  Covers heldOf(ValueId id, int coordinate) const {
    return coversOf(arena_, p_.axes.values[id], g_.type(id).shape, p_.assignment, coordinate);
  }
  Covers wantedBy(NodeId node, unsigned k, int coordinate) const {
    const auto &terms = p_.axes.nodes[node].terms.ins[k];
    return coversOf(arena_, terms, g_.type(g_.node(node).operands[k]).shape, p_.assignment, coordinate);
  }
  llvm::SmallVector<Covers, 8> heldByAll(ValueId id) const {
    llvm::SmallVector<Covers, 8> held;
    for (int c = 0; c < p_.tp; ++c)
      held.push_back(heldOf(id, c));
    return held;
  }

  bool isPending(ValueId id) const { return p_.reductions.isPartial[id] && !p_.reductions.isReduced[id]; }

  using CoversOf = llvm::function_ref<Covers(int coordinate)>;

  /// The part of a value that one use or output wants. Whether to communicate is decided alike on every coordinate.
  ValueId part(ValueId id, CoversOf wanted, bool mayDiffer) {
    const Value &value = g_.value(id);
    Covers own = wanted(coordinate_);
    if (value.kind == ValueKind::Constant) return constantPart(id, own);
    const Node *producer = g_.producer(id);
    if (producer && producer->is("full"))
      return b_.full(Type{value.type.dtype, shapeOf(own)}, producer->attributes.real("value"));
    if (value.kind == ValueKind::Input && !p_.shardsInputs)
      return takePart(b_, local_[id], wholeCovers(value.type.shape), own);
    bool isHeld = true, isWhole = true;
    for (int c = 0; c < p_.tp && mayDiffer; ++c) {
      Covers held = heldOf(id, c);
      isHeld &= isSame(held, wanted(c));
      isWhole &= isSame(held, wholeCovers(value.type.shape));
    }
    if (isHeld) return local_[id];
    if (isWhole) return takePart(b_, local_[id], wholeCovers(value.type.shape), own);
    if (whole_[id] == kNone) whole_[id] = gatherWhole(b_, local_[id], heldByAll(id), value.type.shape);
    return takePart(b_, whole_[id], wholeCovers(value.type.shape), own);
  }

  ValueId constantPart(ValueId id, const Covers &wanted) {
    const Value &value = g_.value(id);
    auto &known = constants_[id];
    for (const auto &[covers, local] : known)
      if (isSame(covers, wanted)) return local;
    ValueId local = program_.graph.addConstant(value.name, partOf(*value.contents, wanted));
    known.push_back({wanted, local});
    return local;
  }

  ValueId operand(NodeId id, unsigned k, bool passes) {
    const Node &node = g_.node(id);
    ValueId value = node.operands[k];
    Covers wanted = wantedBy(id, k, coordinate_);
    bool isMasked =
        passes && opOf(node).linearity == Linearity::Together && !isPending(value) && !isFirstHolder(node.results[0]);
    if (isMasked) return b_.full(Type{g_.type(value).dtype, shapeOf(wanted)}, 0);
    return part(
        value, [&](int c) { return wantedBy(id, k, c); }, p_.axes.nodes[id].isCut[k]);
  }

  /// Whether no earlier coordinate holds the same part of `value`.
  bool isFirstHolder(ValueId value) const {
    Covers own = heldOf(value, coordinate_);
    for (int c = 0; c < coordinate_; ++c)
      if (isSame(heldOf(value, c), own)) return false;
    return true;
  }

  /// Whether no earlier coordinate holds the same points of the operator's iteration space.
  bool isFirstAtNode(NodeId id) const {
    for (int c = 0; c < coordinate_; ++c)
      if (isSameAtNode(id, c)) return false;
    return true;
  }

  /// Whether coordinate c holds the same of a node's operands, in all dimensions but those of the term `leftOut`.
  bool isSameAtNode(NodeId id, int c, AxisId leftOut = kNoAxis) const {
    const IndexTerms &terms = p_.axes.nodes[id].terms;
    for (unsigned k = 0; k < terms.ins.size(); ++k) {
      Covers own = wantedBy(id, k, coordinate_), other = wantedBy(id, k, c);
      for (auto [d, term] : indexed(terms.ins[k])) {
        bool isLeftOut = leftOut != kNoAxis && term != kNoAxis && arena_.find(term) == arena_.find(leftOut);
        if (!isLeftOut && own[d] != other[d]) return false;
      }
    }
    return true;
  }

  /// Where a sum runs over a dimension of which several coordinates hold a part alike (a whole segment beside a sharded
  /// one), each element counts on the first that holds it: on the others it is 0 in one operand.
  void countOnce(NodeId id, llvm::MutableArrayRef<ValueId> operands) {
    const Node &node = g_.node(id);
    const IndexTerms &terms = p_.axes.nodes[id].terms;
    if (!p_.reductions.isPartial[node.results[0]]) return;
    std::set<AxisId> contracted;
    for (AxisId term : terms.contracted[0])
      for (AxisId leaf : arena_.leaves(term))
        contracted.insert(arena_.find(leaf));
    auto isContracted = [&](AxisId term) {
      return term != kNoAxis && isSharded(arena_, term, p_.assignment) &&
             llvm::any_of(arena_.leaves(term), [&](AxisId leaf) { return contracted.count(arena_.find(leaf)); });
    };
    llvm::SmallVector<AxisId, 2> counted;
    for (unsigned k = 0; k < operands.size(); ++k)
      for (auto [d, term] : indexed(terms.ins[k])) {
        if (!isContracted(term) || llvm::is_contained(counted, arena_.find(term))) continue;
        counted.push_back(arena_.find(term));
        operands[k] = withoutRepeated(id, k, d, operands[k]);
      }
  }

  /// Zeros along dimension d for all that an earlier coordinate adds to the same elements of the sum. What one repeats
  /// as a whole is left to isFirstAtNode().
  ValueId withoutRepeated(NodeId id, unsigned k, size_t d, ValueId local) {
    Covers own = wantedBy(id, k, coordinate_);
    std::vector<Cover> earlier;
    for (int c = 0; c < coordinate_; ++c)
      if (isSameAtNode(id, c, p_.axes.nodes[id].terms.ins[k][d])) earlier.push_back(wantedBy(id, k, c)[d]);
    Array keep(Type{DType::Bool, Shape(own.size(), 1)});
    keep.data.clear();
    for (const Interval &interval : own[d])
      for (int64_t at = interval.begin; at < interval.end; ++at)
        keep.data.push_back(llvm::none_of(earlier, [&](const Cover &cover) { return contains(cover, at); }));
    keep.type.shape[d] = int64_t(keep.data.size());
    size_t kept = size_t(llvm::count(keep.data, 1.0));
    if (kept == 0 || kept == keep.data.size()) return local;
    ValueId mask = program_.graph.addConstant("first_holder", toTensor(keep));
    return b_.make("where", {mask, local, b_.scalar(program_.graph.type(local).dtype, 0)});
  }

  void visit(NodeId id) {
    const Node &node = g_.node(id);
    if (node.is("full")) return;
    b_.origin = node.origin;
    b_.backward = node.backward;
    bool passes = llvm::any_of(node.operands, [&](ValueId v) { return isPending(v); });
    llvm::SmallVector<ValueId, 6> operands;
    for (unsigned k = 0; k < node.operands.size(); ++k)
      operands.push_back(operand(id, k, passes));
    llvm::SmallVector<Type, 3> types;
    for (ValueId result : node.results)
      types.push_back(Type{g_.type(result).dtype, shapeOf(heldOf(result, coordinate_))});
    if (!passes && opOf(node).linearity == Linearity::Each) countOnce(id, operands);
    llvm::SmallVector<ValueId, 3> results = compute(id, operands, types);
    for (const auto &[j, result] : indexed(node.results)) {
      ValueId local = results[j];
      if (p_.reductions.isPartial[result] && !passes && !isFirstAtNode(id)) local = b_.full(types[j], 0);
      if (p_.reductions.isReduced[result])
        local = reduceSum(b_, local, heldByAll(result), g_.type(result).shape, coordinate_);
      local_[result] = local;
    }
  }

  llvm::SmallVector<ValueId, 3> compute(NodeId id, llvm::ArrayRef<ValueId> operands, llvm::ArrayRef<Type> types) {
    const Node &node = g_.node(id);
    const IndexTerms &terms = p_.axes.nodes[id].terms;
    Attributes attributes = node.attributes;
    if (node.is("slice")) localiseSlice(id, types[0], attributes);
    if (terms.lookup != kNoAxis)
      setOffset(id, attributes, wantedBy(id, 0, coordinate_)[0], g_.type(node.operands[0]).shape[0]);
    if (terms.scatter != kNoAxis)
      setOffset(id, attributes, heldOf(node.results[0], coordinate_)[0], g_.type(node.results[0]).shape[0]);
    if (terms.classes != kNoAxis && isSharded(arena_, terms.classes, p_.assignment)) {
      attributes.set("class_offset", beginOf(wantedBy(id, 0, coordinate_)[1]));
      if (node.is("cross_entropy")) return shardedCrossEntropy(node, operands, attributes);
    }
    auto made = b_.tryMake(node.op, operands, attributes, types);
    if (!made) {
      errors_ = llvm::joinErrors(std::move(errors_), placed("node '" + escaped(node.origin) + "' on tp coordinate " +
                                                                std::to_string(coordinate_),
                                                            made.takeError()));
      llvm::SmallVector<ValueId, 3> zeros;
      for (const Type &type : types)
        zeros.push_back(b_.full(type, 0));
      return zeros;
    }
    return {made->begin(), made->end()};
  }

  void localiseSlice(NodeId id, const Type &type, Attributes &attributes) {
    int64_t axis = attributes.integer("axis"), step = attributes.integer("step", 1),
            start = attributes.integer("start");
    if (step == 1) attributes.set("start", heldBelow(wantedBy(id, 0, coordinate_)[axis], start));
    attributes.set("length", type.shape[axis]);
  }

  void setOffset(NodeId, Attributes &attributes, const Cover &held, int64_t rows) {
    attributes.set("offset", beginOf(held));
    attributes.set("rows", rows);
  }

  ValueId allReduce(ValueId value, const char *how) {
    llvm::SmallVector<int64_t, 6> group;
    for (int c = 0; c < p_.tp; ++c)
      group.push_back(c);
    return b_.make("all_reduce", {value},
                   {{"axis", std::string("tp")}, {"group", group}, {"reduce", std::string(how)}});
  }

  /// The maximum, then the sum and the target's logit together: 3 values a row travel (Shoeybi et al. 2019, section 3).
  llvm::SmallVector<ValueId, 3> shardedCrossEntropy(const Node &node, llvm::ArrayRef<ValueId> operands,
                                                    Attributes attributes) {
    ValueId logits = operands[0], labels = operands[1];
    llvm::SmallVector<int64_t, 6> classes = {1};
    ValueId largest = allReduce(b_.make("reduce_max", {logits}, {{"axes", classes}, {"keepdims", int64_t(0)}}), "max");
    attributes.set("classes", g_.type(node.operands[0]).shape[1]);
    ValueId sums = allReduce(b_.make("cross_entropy_local", {logits, labels, largest}, attributes), "sum");
    auto all = b_.makeMany("cross_entropy_finish", {sums, largest, labels},
                           {{"ignore_index", node.attributes.integer("ignore_index", -100)}});
    return {all.begin(), all.end()};
  }

  void finish() {
    Graph &out = program_.graph;
    b_.origin = "gradients";
    b_.backward = true;
    llvm::StringMap<LocalParameter *> byGradient;
    for (LocalParameter &parameter : program_.parameters)
      byGradient[gradientName(g_.value(parameter.global).name)] = &parameter;
    for (const Output &output : g_.outputs) {
      LocalParameter *parameter = byGradient.lookup(output.name);
      auto wanted = [&](int c) {
        return parameter ? heldOf(parameter->global, c) : wholeCovers(g_.type(output.value).shape);
      };
      ValueId local = part(output.value, wanted, true);
      if (parameter) parameter->gradient = local;
      out.outputs.push_back({output.name, local});
    }
  }

  const PlacedGraph &p_;
  const Graph &g_;
  const AxisArena &arena_;
  int coordinate_;
  LocalProgram program_;
  Builder b_;
  std::vector<ValueId> local_, whole_;
  llvm::DenseMap<ValueId, std::vector<std::pair<Covers, ValueId>>> constants_; // looked up only, never walked
  llvm::Error errors_ = llvm::Error::success();
};

} // namespace

llvm::Expected<LocalProgram> localise(const PlacedGraph &placed, int coordinate) {
  return Localiser(placed, coordinate).run();
}

} // namespace autotp

#include "passes/partition/global_loss.h"

#include "compiler/ir/loss.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

class GlobalLoss {
public:
  GlobalLoss(Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch, GlobalBatch to)
      : g_(graph), to_(to), f_(batchFacts(graph, axes, batch)), world_(graph.numNodes(), 0) {}

  llvm::Expected<LossTerms> run() {
    const ValueId loss = g_.output("loss");
    terms_.isSum = f_.growth[loss] == 1;
    const std::optional<CrossEntropyMean> mean = crossEntropyMean(g_, loss); // its count depends on labels alone
    visitLinear(mean ? mean->sum : loss);
    if (to_.share != 1 && shrinksWhatIsNotLinear_ != kNone)
      return problem("node '" + escaped(g_.node(shrinksWhatIsNotLinear_).origin) + "'",
                     "it is a function of a sum over the batch that is no mean: a smaller micro-batch changes it");
    if (llvm::Error error = checkShared()) return error;
    if (to_.microBatches > 1) {
      scaleSums();
      takeStatistics();
    }
    scaleCounts();
    return std::move(terms_);
  }

private:
  /// Bits: whether a node contributes to a value of the global batch, or to one that stays that of each micro-batch.
  enum World : uint8_t { kGlobal = 1, kLocal = 2 };

  bool isVarying(ValueId v) const { return f_.parts[v] != BatchPart::None; }
  /// Whether the value differs between micro-batches and depends on parameters, so that it is unknown before they run.
  bool isOfBoth(ValueId v) const { return isVarying(v) && f_.ofParameters[v]; }
  bool isSumOfInputs(ValueId v) const {
    return f_.isSummedHere[v] && f_.parts[v] == BatchPart::Sum && !f_.ofParameters[v] && !readsSums(v);
  }
  bool readsSums(ValueId v) const {
    return llvm::any_of(g_.producer(v)->operands,
                        [&](ValueId o) { return f_.parts[o] == BatchPart::Sum || f_.parts[o] == BatchPart::Mixed; });
  }

  /// Follows the loss back through nodes that are linear, up to the sums over the batch.
  void visitLinear(ValueId v) {
    if (!isOfBoth(v)) return markGlobal(v);
    const NodeId id = g_.value(v).producer;
    if (id == kNone || f_.parts[v] == BatchPart::Mixed) return markLocal(v);
    if (world_[id] & kGlobal) return;
    if (f_.isSummedHere[v] && f_.parts[v] == BatchPart::Sum) {
      sums_.push_back(v);
      return markNode(id);
    }
    const Node &node = g_.node(id);
    llvm::SmallVector<ValueId, 4> linear;
    bool isLinear = f_.parts[v] == BatchPart::Sum;
    for (auto [k, operand] : indexed(node.operands)) {
      if (!isOfBoth(operand)) continue;
      linear.push_back(operand);
      isLinear &= node.is("where") ? k > 0 : isLinearIn(g_, node, unsigned(k));
    }
    const bool mayBeSeveral = node.is("where") || opOf(node).linearity == Linearity::Together;
    if (!isLinear || (linear.size() > 1 && !mayBeSeveral)) return markLocal(v);
    world_[id] |= kGlobal;
    linear_.push_back(id);
    for (ValueId operand : node.operands)
      visitLinear(operand);
  }

  /// Marks what a value of the global batch is computed from, up to the batch statistics.
  void markGlobal(ValueId v) {
    if (isVarying(v) && g_.value(v).producer != kNone && !isSumOfInputs(v)) markNode(g_.value(v).producer);
  }

  void markNode(NodeId from) {
    for (llvm::SmallVector<NodeId, 32> stack = {from}; !stack.empty();) {
      const NodeId id = stack.pop_back_val();
      if (world_[id] & kGlobal) continue;
      world_[id] |= kGlobal;
      if (f_.mixesSamples[id] && f_.ofParameters[g_.node(id).results[0]]) name(id);
      for (ValueId v : g_.node(id).operands) {
        if (!isVarying(v) || g_.value(v).producer == kNone || isSumOfInputs(v)) continue;
        const bool isSample = f_.parts[v] == BatchPart::Samples && !f_.isSummedHere[v];
        if (isSample || !f_.ofParameters[v])
          stack.push_back(g_.value(v).producer);
        else
          markLocal(v);
      }
    }
  }

  /// Marks a value that stays that of each micro-batch, and all that it is computed from, and names its producer.
  void markLocal(ValueId v) {
    const NodeId first = g_.value(v).producer;
    if (first == kNone || world_[first] & kLocal) return;
    name(first);
    auto isNoMean = [&](ValueId value) { return f_.growth[value] != 0; };
    if (isNoMean(v) || llvm::any_of(g_.node(first).operands, isNoMean)) shrinksWhatIsNotLinear_ = first;
    for (llvm::SmallVector<NodeId, 32> stack = {first}; !stack.empty();) {
      const NodeId id = stack.pop_back_val();
      if (world_[id] & kLocal) continue;
      world_[id] |= kLocal;
      for (ValueId operand : g_.node(id).operands)
        if (isVarying(operand) && g_.value(operand).producer != kNone) stack.push_back(g_.value(operand).producer);
    }
  }

  void name(NodeId id) {
    const std::string &origin = g_.node(id).origin;
    if (!llvm::is_contained(terms_.ofMicroBatches, origin)) terms_.ofMicroBatches.push_back(origin);
  }

  bool isOfBothWorlds(NodeId id) const { return world_[id] == (kGlobal | kLocal) && to_.microBatches > 1; }

  llvm::Error checkShared() const {
    auto refuse = [&](NodeId id) {
      return problem("node '" + escaped(g_.node(id).origin) + "'",
                     "a term of the loss needs it for the global batch, and node '" +
                         escaped(terms_.ofMicroBatches[0]) + "', in which the loss is not linear, for each micro-batch",
                     "compute it twice in the model, or train with --dp 1 and --grad-accum 1");
    };
    for (const BatchFacts::Count &count : f_.counts)
      if (isOfBothWorlds(count.node)) return refuse(count.node);
    for (NodeId id = g_.first(); id != kNone; id = g_.node(id).next)
      if (isOfBothWorlds(id))
        for (ValueId v : g_.node(id).operands)
          if (isSumOfInputs(v)) return refuse(id);
    return llvm::Error::success();
  }

  void scaleSums() {
    for (ValueId sum : sums_) {
      const NodeId id = g_.value(sum).producer;
      Builder b(g_, g_.node(id).next);
      b.origin = g_.node(id).origin;
      const llvm::SmallVector<Use, 2> uses = g_.value(sum).uses;
      const ValueId scaled = b.make("mul", {sum, b.scalar(g_.type(sum).dtype, double(to_.microBatches))});
      for (Use use : uses)
        if (llvm::is_contained(linear_, use.node)) g_.setOperand(use.node, use.operand, scaled);
      for (Output &output : g_.outputs)
        if (output.value == sum) output.value = scaled;
    }
  }

  void takeStatistics() {
    const size_t nodes = world_.size(); // nodes that are added here are no batch statistics
    for (NodeId id : g_.order()) {
      for (ValueId v : llvm::SmallVector<ValueId, 2>(g_.node(id).results)) {
        if (id >= nodes || !isSumOfInputs(v)) continue;
        llvm::SmallVector<Use, 2> uses;
        llvm::copy_if(g_.value(v).uses, std::back_inserter(uses),
                      [&](Use use) { return use.node < nodes && (world_[use.node] & kGlobal); });
        if (!uses.empty()) takeStatistic(v, uses);
      }
    }
  }

  void takeStatistic(ValueId v, llvm::ArrayRef<Use> uses) {
    const Type type = g_.type(v), widened{DType::F32, type.shape};
    const std::string name = kBatchStatistic.str() + std::to_string(terms_.statistics++);
    Builder first(g_, g_.first()), last(g_);
    first.origin = last.origin = g_.producer(v)->origin;
    ValueId whole = g_.addState(name, widened);
    if (type != widened) whole = first.makeTyped("cast", {whole}, type);
    for (Use use : uses)
      g_.setOperand(use.node, use.operand, whole);
    g_.outputs.push_back({name, type == widened ? v : last.makeTyped("cast", {v}, widened)});
  }

  void scaleCounts() {
    for (const BatchFacts::Count &count : f_.counts) {
      const bool isGlobal = world_[count.node] & kGlobal;
      const double factor = to_.share * (isGlobal ? double(to_.microBatches) : 1);
      if (factor == 1) continue;
      Array right = toArray(*g_.value(g_.node(count.node).operands[count.operand]).contents);
      right.data[0] = count.isInverse ? right.data[0] / factor : right.data[0] * factor;
      g_.setOperand(count.node, count.operand, g_.addConstant("count", toTensor(right)));
    }
  }

  Graph &g_;
  const GlobalBatch to_;
  const BatchFacts f_;
  std::vector<uint8_t> world_; ///< by NodeId
  std::vector<ValueId> sums_;  ///< the sums over the batch in which the loss is linear
  std::vector<NodeId> linear_; ///< the nodes between those sums and the loss
  NodeId shrinksWhatIsNotLinear_ = kNone;
  LossTerms terms_;
};

} // namespace

void exposeCounts(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("cross_entropy") || graph.value(graph.node(id).results[1]).uses.empty()) continue;
    const ValueId labels = graph.node(id).operands[1], count = graph.node(id).results[1];
    Builder b(graph, id);
    b.origin = graph.node(id).origin;
    const ValueId ignored =
        b.scalar(graph.type(labels).dtype, double(graph.node(id).attributes.integer("ignore_index", -100)));
    const ValueId isCounted = b.make("not", {b.make("equal", {labels, ignored})});
    const ValueId counted = b.makeTyped("cast", {isCounted}, Type{graph.type(count).dtype, graph.type(labels).shape});
    graph.replaceAllUses(
        count, b.make("reduce_sum", {counted}, {{"axes", llvm::SmallVector<int64_t, 6>{0}}, {"keepdims", int64_t(0)}}));
  }
}

llvm::Expected<LossTerms> makeLossGlobal(Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch,
                                         GlobalBatch to) {
  return GlobalLoss(graph, axes, batch, to).run();
}

} // namespace autotp

#include "passes/partition/global_loss.h"

#include "compiler/ir/loss.h"
#include "compiler/ops/op_def.h"
#include "passes/partition/batch_facts.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

class GlobalLoss {
public:
  GlobalLoss(Graph &graph, const GraphAxes &axes, llvm::ArrayRef<AxisId> batch, GlobalBatch to)
      : graph_(graph), to_(to), facts_(batchFacts(graph, axes, batch)), world_(graph.numNodes(), 0) {}

  llvm::Expected<LossTerms> run() {
    const ValueId loss = graph_.output("loss");
    terms_.isSum = facts_.growth[loss] == 1;
    const std::optional<CrossEntropyMean> mean = crossEntropyMean(graph_, loss); // its count depends on labels alone
    visitLinear(mean ? mean->sum : loss);
    if (to_.share != 1 && shrinksWhatIsNotLinear_ != kNone)
      return problem("node '" + escaped(graph_.node(shrinksWhatIsNotLinear_).origin) + "'",
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

  bool isVarying(ValueId v) const { return facts_.parts[v] != BatchPart::None; }
  /// Whether the value differs between micro-batches and depends on parameters, so that it is unknown before they run.
  bool isOfBoth(ValueId v) const { return isVarying(v) && facts_.ofParameters[v]; }
  bool isSumOfInputs(ValueId v) const {
    return facts_.isSummedHere[v] && facts_.parts[v] == BatchPart::Sum && !facts_.ofParameters[v] && !readsSums(v);
  }
  bool readsSums(ValueId v) const {
    return llvm::any_of(graph_.producer(v)->operands, [&](ValueId o) {
      return facts_.parts[o] == BatchPart::Sum || facts_.parts[o] == BatchPart::Mixed;
    });
  }

  /// Follows the loss back through nodes that are linear, up to the sums over the batch.
  void visitLinear(ValueId v) {
    if (!isOfBoth(v)) return markGlobal(v);
    const NodeId id = graph_.value(v).producer;
    if (id == kNone || facts_.parts[v] == BatchPart::Mixed) return markLocal(v);
    if (world_[id] & kGlobal) return;
    if (facts_.isSummedHere[v] && facts_.parts[v] == BatchPart::Sum) {
      sums_.push_back(v);
      return markNode(id);
    }
    const Node &node = graph_.node(id);
    llvm::SmallVector<ValueId, 4> linear;
    bool isLinear = facts_.parts[v] == BatchPart::Sum;
    for (auto [k, operand] : indexed(node.operands)) {
      if (!isOfBoth(operand)) continue;
      linear.push_back(operand);
      isLinear &= node.is("where") ? k > 0 : isLinearIn(graph_, node, unsigned(k));
    }
    const bool mayBeSeveral = node.is("where") || opOf(node).isAdditive;
    if (!isLinear || (linear.size() > 1 && !mayBeSeveral)) return markLocal(v);
    world_[id] |= kGlobal;
    linear_.push_back(id);
    for (ValueId operand : node.operands)
      visitLinear(operand);
  }

  /// Marks what a value of the global batch is computed from, up to the batch statistics.
  void markGlobal(ValueId v) {
    if (isVarying(v) && graph_.value(v).producer != kNone && !isSumOfInputs(v)) markNode(graph_.value(v).producer);
  }

  void markNode(NodeId from) {
    for (llvm::SmallVector<NodeId, 32> stack = {from}; !stack.empty();) {
      const NodeId id = stack.pop_back_val();
      if (world_[id] & kGlobal) continue;
      world_[id] |= kGlobal;
      if (facts_.mixesSamples[id] && facts_.ofParameters[graph_.node(id).results[0]]) name(id);
      for (ValueId v : graph_.node(id).operands) {
        if (!isVarying(v) || graph_.value(v).producer == kNone || isSumOfInputs(v)) continue;
        const bool isSample = facts_.parts[v] == BatchPart::Samples && !facts_.isSummedHere[v];
        if (isSample || !facts_.ofParameters[v])
          stack.push_back(graph_.value(v).producer);
        else
          markLocal(v);
      }
    }
  }

  /// Marks a value that stays that of each micro-batch, and all that it is computed from, and names its producer.
  void markLocal(ValueId v) {
    const NodeId first = graph_.value(v).producer;
    if (first == kNone || world_[first] & kLocal) return;
    name(first);
    auto isNoMean = [&](ValueId value) { return facts_.growth[value] != 0; };
    if (isNoMean(v) || llvm::any_of(graph_.node(first).operands, isNoMean)) shrinksWhatIsNotLinear_ = first;
    for (llvm::SmallVector<NodeId, 32> stack = {first}; !stack.empty();) {
      const NodeId id = stack.pop_back_val();
      if (world_[id] & kLocal) continue;
      world_[id] |= kLocal;
      for (ValueId operand : graph_.node(id).operands)
        if (isVarying(operand) && graph_.value(operand).producer != kNone)
          stack.push_back(graph_.value(operand).producer);
    }
  }

  void name(NodeId id) {
    const std::string &origin = graph_.node(id).origin;
    if (!llvm::is_contained(terms_.ofMicroBatches, origin)) terms_.ofMicroBatches.push_back(origin);
  }

  bool isOfBothWorlds(NodeId id) const { return world_[id] == (kGlobal | kLocal) && to_.microBatches > 1; }

  llvm::Error checkShared() const {
    auto refuse = [&](NodeId id) {
      return problem("node '" + escaped(graph_.node(id).origin) + "'",
                     "a term of the loss needs it for the global batch, and node '" +
                         escaped(terms_.ofMicroBatches[0]) + "', in which the loss is not linear, for each micro-batch",
                     "compute it twice in the model, or train with --dp 1 and --grad-accum 1");
    };
    for (const BatchFacts::Count &count : facts_.counts)
      if (isOfBothWorlds(count.node)) return refuse(count.node);
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      if (isOfBothWorlds(id))
        for (ValueId v : graph_.node(id).operands)
          if (isSumOfInputs(v)) return refuse(id);
    return llvm::Error::success();
  }

  void scaleSums() {
    for (ValueId sum : sums_) {
      const NodeId id = graph_.value(sum).producer;
      Builder b(graph_, graph_.node(id).next);
      b.origin = graph_.node(id).origin;
      const llvm::SmallVector<Use, 2> uses = graph_.value(sum).uses;
      const ValueId scaled = b.make("mul", {sum, b.scalar(graph_.type(sum).dtype, double(to_.microBatches))});
      for (Use use : uses)
        if (llvm::is_contained(linear_, use.node)) graph_.setOperand(use.node, use.operand, scaled);
      for (Output &output : graph_.outputs)
        if (output.value == sum) output.value = scaled;
    }
  }

  void takeStatistics() {
    const size_t nodes = world_.size(); // nodes that are added here are no batch statistics
    for (NodeId id : graph_.order()) {
      for (ValueId v : llvm::SmallVector<ValueId, 2>(graph_.node(id).results)) {
        if (id >= nodes || !isSumOfInputs(v)) continue;
        llvm::SmallVector<Use, 2> uses;
        llvm::copy_if(graph_.value(v).uses, std::back_inserter(uses),
                      [&](Use use) { return use.node < nodes && (world_[use.node] & kGlobal); });
        if (!uses.empty()) takeStatistic(v, uses);
      }
    }
  }

  void takeStatistic(ValueId v, llvm::ArrayRef<Use> uses) {
    const Type type = graph_.type(v), widened{DType::F32, type.shape};
    const std::string name = kBatchStatistic.str() + std::to_string(terms_.statistics++);
    Builder first(graph_, graph_.first()), last(graph_);
    first.origin = last.origin = graph_.producer(v)->origin;
    ValueId whole = graph_.addState(name, widened);
    if (type != widened) whole = first.makeTyped("cast", {whole}, type);
    for (Use use : uses)
      graph_.setOperand(use.node, use.operand, whole);
    graph_.outputs.push_back({name, type == widened ? v : last.makeTyped("cast", {v}, widened)});
  }

  void scaleCounts() {
    for (const BatchFacts::Count &count : facts_.counts) {
      const bool isGlobal = world_[count.node] & kGlobal;
      const double factor = to_.share * (isGlobal ? double(to_.microBatches) : 1);
      if (factor == 1) continue;
      Array right = toArray(*graph_.value(graph_.node(count.node).operands[count.operand]).contents);
      right.data[0] = count.isInverse ? right.data[0] / factor : right.data[0] * factor;
      graph_.setOperand(count.node, count.operand, graph_.addConstant("count", toTensor(right)));
    }
  }

  Graph &graph_;
  const GlobalBatch to_;
  const BatchFacts facts_;
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

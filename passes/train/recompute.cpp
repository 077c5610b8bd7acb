#include "passes/train/recompute.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

namespace autotp {
namespace {

class Recomputation {
public:
  explicit Recomputation(Graph &graph) : graph_(graph), positions_(graph.numNodes(), 0) {
    for (NodeId id : graph_.order())
      if (!graph_.node(id).backward) {
        positions_[id] = unsigned(forward_.size());
        forward_.push_back(id);
      }
    findActivations();
  }

  unsigned run(Recompute what) {
    isKept_.assign(graph_.numValues(), false);
    if (what == Recompute::Layer)
      keepLayers();
    else
      keepAllButAttention();
    return copyWhatIsNotKept();
  }

private:
  bool isForward(ValueId value) const {
    const NodeId producer = graph_.value(value).producer;
    return producer != kNone && !graph_.node(producer).backward;
  }

  /// Finds the values that depend on parameters. All others (masks, positions, angles) are shared by layers and kept.
  void findActivations() {
    isActivation_.assign(graph_.numValues(), false);
    for (NodeId id : forward_) {
      const Node &node = graph_.node(id);
      const bool depends = llvm::any_of(
          node.operands, [&](ValueId v) { return isActivation_[v] || graph_.value(v).kind == ValueKind::Parameter; });
      for (ValueId result : node.results)
        isActivation_[result] = depends;
    }
  }

  bool isProductOfActivations(const Node &node) const {
    return node.is("matmul") && llvm::all_of(node.operands, [&](ValueId v) { return isActivation_[v]; });
  }

  /// Keeps all values but those between the product of queries and keys and the product with values. Other products end
  /// the search.
  void keepAllButAttention() {
    std::vector<bool> follows(graph_.numValues(), false), leads(graph_.numValues(), false);
    for (NodeId id : forward_) {
      const Node &node = graph_.node(id);
      const bool after = llvm::any_of(node.operands, [&](ValueId v) { return follows[v]; });
      for (ValueId result : node.results)
        follows[result] = isProductOfActivations(node) ? !after : after && !node.is("matmul");
    }
    for (NodeId id : llvm::reverse(forward_)) {
      const Node &node = graph_.node(id);
      const bool isProduct = node.is("matmul");
      const bool before = llvm::any_of(node.results, [&](ValueId v) { return leads[v]; });
      for (ValueId operand : node.operands)
        if (isProduct ? isProductOfActivations(node) && follows[operand] : before) leads[operand] = true;
    }
    for (ValueId v = 0; v < isKept_.size(); ++v)
      isKept_[v] = !follows[v] || !leads[v];
  }

  int64_t bytesOf(ValueId value) const {
    return graph_.type(value).elements() * int64_t(sizeOf(graph_.type(value).dtype));
  }

  unsigned lastForwardUse(ValueId value) const {
    unsigned last = 0;
    for (const Use &use : graph_.value(value).uses)
      if (!graph_.node(use.node).backward) last = std::max(last, positions_[use.node]);
    return last;
  }

  /// Activations that are computed between `begin` and `position`, used by the forward after it, and not kept yet.
  std::vector<ValueId> livingAfter(unsigned begin, unsigned position) const {
    std::vector<ValueId> living;
    for (unsigned i = begin; i <= position; ++i)
      for (ValueId v : graph_.node(forward_[i]).results)
        if (isActivation_[v] && !isKept_[v] && lastForwardUse(v) > position) living.push_back(v);
    return living;
  }

  /// Chooses the cuts between layers in one walk: each is the place of the fewest living bytes between two peaks. Keeps
  /// the values that live across a cut, the results of collectives, and the last layer.
  void keepLayers() {
    std::vector<int64_t> dying(forward_.size() + 1, 0); // bytes, by the position of the last use
    int64_t living = 0, most = 0, least = INT64_MAX;
    unsigned begin = 0, cut = 0;
    for (unsigned i = 0; i < forward_.size(); ++i) {
      for (ValueId v : graph_.node(forward_[i]).results)
        if (unsigned last = lastForwardUse(v); isActivation_[v] && last > i) {
          living += bytesOf(v);
          dying[last] += bytesOf(v);
        }
      living -= dying[i];
      if (living > 0 && least <= most / 2 && living >= 2 * least) { // a minimum lies behind, and a layer ends there
        for (ValueId v : livingAfter(begin, cut)) {
          isKept_[v] = true;
          if (const unsigned last = lastForwardUse(v); last > i) { // a kept value does not count as living
            dying[last] -= bytesOf(v);
            living -= bytesOf(v);
          }
        }
        begin = cut + 1;
        lastCut_ = cut;
        most = living;
        least = INT64_MAX;
      }
      if (living >= most) {
        most = living;
        least = INT64_MAX;
      } else if (living <= least) {
        least = living;
        cut = i;
      }
    }
    for (NodeId id : forward_)
      if (opOf(graph_.node(id)).isCollective || positions_[id] > lastCut_ || lastCut_ == 0)
        for (ValueId v : graph_.node(id).results)
          isKept_[v] = true;
  }

  bool mustCopy(ValueId v) const { return isForward(v) && isActivation_[v] && !isKept_[v] && !graph_.isOutput(v); }

  /// The nodes that compute `value` from values that are kept or copied already, in the order of the forward.
  std::vector<NodeId> nodesToCopy(ValueId value) const {
    std::vector<NodeId> nodes{graph_.value(value).producer};
    llvm::SmallDenseSet<NodeId> found{nodes[0]};
    for (size_t i = 0; i < nodes.size(); ++i)
      for (ValueId operand : graph_.node(nodes[i]).operands)
        if (const NodeId producer = graph_.value(operand).producer;
            mustCopy(operand) && !copies_.count(operand) && found.insert(producer).second)
          nodes.push_back(producer);
    llvm::sort(nodes, [&](NodeId a, NodeId b) { return positions_[a] < positions_[b]; });
    return nodes;
  }

  /// The copy of a forward value, made before `before` unless an earlier node has it already.
  ValueId copyOf(ValueId value, NodeId before) {
    if (auto at = copies_.find(value); at != copies_.end()) return at->second;
    for (NodeId id : nodesToCopy(value)) {
      llvm::SmallVector<ValueId, 4> operands;
      for (ValueId operand : graph_.node(id).operands)
        operands.push_back(copies_.count(operand) ? copies_.lookup(operand) : operand);
      const NodeId copy = graph_.addCopy(graph_, id, operands, before);
      graph_.node(copy).backward = true;
      for (auto [i, result] : indexed(graph_.node(id).results))
        copies_[result] = graph_.node(copy).results[i];
    }
    return copies_.lookup(value);
  }

  unsigned copyWhatIsNotKept() {
    for (NodeId id : graph_.order()) {
      if (!graph_.node(id).backward) continue;
      for (unsigned k = 0; k < graph_.node(id).operands.size(); ++k)
        if (const ValueId v = graph_.node(id).operands[k]; mustCopy(v)) graph_.setOperand(id, k, copyOf(v, id));
    }
    return unsigned(copies_.size());
  }

  Graph &graph_;
  std::vector<NodeId> forward_;
  std::vector<unsigned> positions_; ///< by NodeId: its place in forward_
  std::vector<bool> isActivation_, isKept_;
  unsigned lastCut_ = 0; ///< nodes after it are not computed again, since their backward comes first
  // Only looked up, never iterated over, since its order would not be deterministic.
  llvm::DenseMap<ValueId, ValueId> copies_;
};

} // namespace

unsigned recompute(Graph &graph, Recompute what) {
  return what == Recompute::None ? 0 : Recomputation(graph).run(what);
}

} // namespace autotp

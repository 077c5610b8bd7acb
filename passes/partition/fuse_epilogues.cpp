#include "passes/partition/fuse_epilogues.h"

#include "compiler/ops/op_def.h"

namespace autotp {
namespace {

class Epilogues {
public:
  explicit Epilogues(Section &section) : section_(section), graph_(section.graph) {}

  void run() {
    for (NodeId id : graph_.order()) {
      if (graph_.node(id).erased) continue;
      if (graph_.node(id).is("add")) fuseBias(id);
      if (graph_.node(id).is("gelu_grad")) fuseGeluGrad(id);
    }
  }

private:
  /// The product that computes `value`, perhaps seen through reshapes, or kNone. Only if nothing else reads its result.
  NodeId productOf(ValueId value) const {
    for (;; value = graph_.producer(value)->operands[0]) {
      const Node *node = graph_.producer(value);
      if (!node || graph_.value(value).uses.size() != 1 || section_.stateSlices.count(value) || graph_.isOutput(value))
        return kNone;
      if (node->is("matmul")) return graph_.value(value).producer;
      if (!node->is("reshape")) return kNone;
    }
  }

  bool isBiasOf(ValueId bias, ValueId product) const {
    const Type &type = graph_.type(bias), &result = graph_.type(product);
    return !type.shape.empty() && type.dtype == result.dtype && type.shape.size() <= result.shape.size() &&
           type.shape.back() == result.shape.back() && type.elements() == type.shape.back();
  }
  /// Whether the columns of the product are the last dimension of its result in the shape `seen`.
  bool hasColumns(NodeId product, const Type &seen) const {
    const Shape &shape = graph_.type(graph_.node(product).results[0]).shape;
    return !seen.shape.empty() && seen.shape.back() == shape.back();
  }

  /// The gelu to fuse with the sum `x`, or kNone. A gelu that the backward recomputes is not fused.
  NodeId geluOf(ValueId x) const {
    llvm::SmallVector<ValueId, 2> seen{x};
    NodeId gelu = kNone;
    bool isKept = graph_.isOutput(x);
    for (size_t i = 0; i < seen.size(); ++i)
      for (const Use &use : graph_.value(seen[i]).uses) {
        const Node &node = graph_.node(use.node);
        const bool isGelu = node.is("gelu") && node.attributes.integer("tanh") && gelu == kNone &&
                            !section_.stateSlices.count(node.results[0]) &&
                            node.backward == graph_.producer(x)->backward;
        if (isGelu)
          gelu = use.node;
        else if (node.is("reshape"))
          seen.push_back(node.results[0]);
        else
          isKept = true;
      }
    return isKept ? gelu : kNone;
  }

  void fuseBias(NodeId add) {
    const Node node = graph_.node(add);
    const ValueId x = node.results[0];
    for (unsigned k : {0u, 1u}) {
      const NodeId product = productOf(node.operands[k]);
      const ValueId bias = node.operands[1 - k];
      if (product == kNone || !isBiasOf(bias, node.operands[k]) || !hasColumns(product, graph_.type(x)) ||
          section_.stateSlices.count(x))
        continue;
      llvm::SmallVector<ValueId, 2> fused{x};
      llvm::StringRef op = "matmul_bias";
      if (const NodeId gelu = geluOf(x); gelu != kNone) {
        op = "matmul_bias_gelu";
        fused.push_back(graph_.node(gelu).results[0]);
      }
      return replace(op, product, bias, fused, add);
    }
  }

  void fuseGeluGrad(NodeId id) {
    const Node node = graph_.node(id);
    const NodeId product = productOf(node.operands[1]);
    if (product == kNone || !node.attributes.integer("tanh") || section_.stateSlices.count(node.results[0])) return;
    replace("matmul_gelu_grad", product, node.operands[0], node.results[0], id);
  }

  /// Replaces the nodes that compute `values` by one fused node `op`, which stands before `at`, since `third` is
  /// computed by then.
  void replace(llvm::StringRef op, NodeId product, ValueId third, llvm::ArrayRef<ValueId> values, NodeId at) {
    const Node node = graph_.node(product);
    Builder b(graph_, at);
    b.origin = node.origin;
    b.backward = node.backward;
    Types types;
    for (ValueId value : values)
      types.push_back(graph_.type(value));
    const auto made =
        llvm::cantFail(b.tryMake(op, {node.operands[0], node.operands[1], third}, node.attributes, types));
    for (size_t j = 0; j < values.size(); ++j) {
      const NodeId producer = graph_.value(values[j]).producer;
      const auto operands = graph_.node(producer).operands;
      graph_.replaceAllUses(values[j], made[j]);
      graph_.erase(producer);
      for (ValueId operand : operands)
        eraseUnused(operand);
    }
  }

  /// Erases the product, and the reshapes behind it, if nothing reads them any more.
  void eraseUnused(ValueId value) {
    while (const Node *node = graph_.producer(value)) {
      const bool isMine = node->is("matmul") || node->is("reshape");
      if (!isMine || !graph_.value(value).uses.empty() || section_.stateSlices.count(value) || graph_.isOutput(value))
        return;
      const ValueId operand = node->operands[0];
      const bool isView = node->is("reshape");
      graph_.erase(graph_.value(value).producer);
      if (!isView) return;
      value = operand;
    }
  }

  Section &section_;
  Graph &graph_;
};

} // namespace

void fuseEpilogues(Section &section) { Epilogues(section).run(); }

} // namespace autotp

#include "passes/partition/fuse_epilogues.h"

#include "compiler/ops/op_def.h"

namespace autotp {
namespace {

class Epilogues {
public:
  explicit Epilogues(Section &section) : s_(section), g_(section.graph) {}

  void run() {
    for (NodeId id : g_.order()) {
      if (g_.node(id).erased) continue;
      if (g_.node(id).is("add")) fuseBias(id);
      if (g_.node(id).is("gelu_grad")) fuseGeluGrad(id);
    }
  }

private:
  /// The product that computes `value`, perhaps seen through reshapes, or kNone. Only if nothing else reads its result.
  NodeId productOf(ValueId value) const {
    for (;; value = g_.producer(value)->operands[0]) {
      const Node *node = g_.producer(value);
      if (!node || g_.value(value).uses.size() != 1 || s_.homes.count(value) || g_.isOutput(value)) return kNone;
      if (node->is("matmul")) return g_.value(value).producer;
      if (!node->is("reshape")) return kNone;
    }
  }

  bool isBiasOf(ValueId bias, ValueId product) const {
    const Type &type = g_.type(bias), &result = g_.type(product);
    return !type.shape.empty() && type.dtype == result.dtype && type.shape.size() <= result.shape.size() &&
           type.shape.back() == result.shape.back() && type.elements() == type.shape.back();
  }
  /// Whether the columns of the product are the last dimension of its result in the shape `seen`.
  bool hasColumns(NodeId product, const Type &seen) const {
    const Shape &shape = g_.type(g_.node(product).results[0]).shape;
    return !seen.shape.empty() && seen.shape.back() == shape.back();
  }

  /// The gelu to fuse with the sum `x`, or kNone. A gelu that the backward recomputes is not fused.
  NodeId geluOf(ValueId x) const {
    llvm::SmallVector<ValueId, 2> seen{x};
    NodeId gelu = kNone;
    bool isKept = g_.isOutput(x);
    for (size_t i = 0; i < seen.size(); ++i)
      for (const Use &use : g_.value(seen[i]).uses) {
        const Node &node = g_.node(use.node);
        const bool isGelu = node.is("gelu") && node.attributes.integer("tanh") && gelu == kNone &&
                            !s_.homes.count(node.results[0]) && node.backward == g_.producer(x)->backward;
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
    const Node node = g_.node(add);
    const ValueId x = node.results[0];
    for (unsigned k : {0u, 1u}) {
      const NodeId product = productOf(node.operands[k]);
      const ValueId bias = node.operands[1 - k];
      if (product == kNone || !isBiasOf(bias, node.operands[k]) || !hasColumns(product, g_.type(x)) ||
          s_.homes.count(x))
        continue;
      llvm::SmallVector<ValueId, 2> fused{x};
      llvm::StringRef op = "matmul_bias";
      if (const NodeId gelu = geluOf(x); gelu != kNone) {
        op = "matmul_bias_gelu";
        fused.push_back(g_.node(gelu).results[0]);
      }
      return replace(op, product, bias, fused, add);
    }
  }

  void fuseGeluGrad(NodeId id) {
    const Node node = g_.node(id);
    const NodeId product = productOf(node.operands[1]);
    if (product == kNone || !node.attributes.integer("tanh") || s_.homes.count(node.results[0])) return;
    replace("matmul_gelu_grad", product, node.operands[0], node.results[0], id);
  }

  /// Replaces the nodes that compute `values` by one fused node `op`, which stands before `at`, since `third` is
  /// computed by then.
  void replace(llvm::StringRef op, NodeId product, ValueId third, llvm::ArrayRef<ValueId> values, NodeId at) {
    const Node node = g_.node(product);
    Builder b(g_, at);
    b.origin = node.origin;
    b.backward = node.backward;
    Types types;
    for (ValueId value : values)
      types.push_back(g_.type(value));
    const auto made =
        llvm::cantFail(b.tryMake(op, {node.operands[0], node.operands[1], third}, node.attributes, types));
    for (size_t j = 0; j < values.size(); ++j) {
      const NodeId producer = g_.value(values[j]).producer;
      const auto operands = g_.node(producer).operands;
      g_.replaceAllUses(values[j], made[j]);
      g_.erase(producer);
      for (ValueId operand : operands)
        eraseUnused(operand);
    }
  }

  /// Erases the product, and the reshapes behind it, if nothing reads them any more.
  void eraseUnused(ValueId value) {
    while (const Node *node = g_.producer(value)) {
      const bool isMine = node->is("matmul") || node->is("reshape");
      if (!isMine || !g_.value(value).uses.empty() || s_.homes.count(value) || g_.isOutput(value)) return;
      const ValueId operand = node->operands[0];
      const bool isView = node->is("reshape");
      g_.erase(g_.value(value).producer);
      if (!isView) return;
      value = operand;
    }
  }

  Section &s_;
  Graph &g_;
};

} // namespace

void fuseEpilogues(Section &section) { Epilogues(section).run(); }

} // namespace autotp

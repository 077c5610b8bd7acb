#include "passes/shard/check_reductions.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "passes/shard/place_reductions.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

class Checker {
public:
  Checker(const Graph &graph, const GraphAxes &axes, const Assignment &assignment, const Reductions &reductions,
          const SequenceRegion *region)
      : graph_(graph), axes_(axes), assignment_(assignment), reductions_(reductions), region_(region) {}

  llvm::Error run() {
    for (NodeId id = graph_.first(); id != kNone; id = graph_.node(id).next)
      visit(id);
    std::vector<bool> isGradient(graph_.numValues(), false);
    for (const auto &[parameter, gradient] : gradientOutputs(graph_))
      isGradient[gradient] = isGradient[gradient] || isWhole(parameter);
    for (const Output &output : graph_.outputs)
      if (isUnpaid(output.value) && !isGradient[output.value])
        refuse("output '" + escaped(output.name) + "'", "it is a Partial sum over tp that nothing reduces");
    return std::move(errors_);
  }

private:
  bool isUnpaid(ValueId value) const { return reductions_.isPartial[value] && !reductions_.isReduced[value]; }
  bool isWhole(ValueId value) const { return !isSharded(axes_.arena, axes_.values[value], assignment_); }

  void visit(NodeId id) {
    const Node &node = graph_.node(id);
    const std::string where = node.op.str() + " '" + escaped(node.origin) + "'";
    const bool isInRegion = region_ && region_->nodes[id];
    unsigned passed = 0;
    for (const auto &[k, operand] : indexed(node.operands)) {
      if (!isUnpaid(operand)) continue;
      bool passes = !isInRegion;
      for (unsigned j = 0; j < node.results.size(); ++j)
        passes = passes && passesThrough(graph_, axes_, assignment_, id, unsigned(k), j);
      passed += passes;
      if (!passes)
        refuse(where, "its operand %" + graph_.value(operand).name + " is a Partial sum over tp, which it cannot take");
    }
    if (passed > 1 && !opOf(node).isAdditive)
      refuse(where, "two of its operands are Partial sums over tp, and it multiplies them");
    for (ValueId result : node.results)
      if (passed > 0 && !reductions_.isPartial[result])
        refuse(where, "it passes on a Partial sum, and its result is not marked as one");
  }

  void refuse(llvm::StringRef where, llvm::StringRef what) {
    errors_ = llvm::joinErrors(std::move(errors_), problem(where, what, "report this as a bug, with the model"));
  }

  const Graph &graph_;
  const GraphAxes &axes_;
  const Assignment &assignment_;
  const Reductions &reductions_;
  const SequenceRegion *region_;
  llvm::Error errors_ = llvm::Error::success();
};

} // namespace

llvm::Error checkReductions(const Graph &graph, const GraphAxes &axes, const Assignment &assignment,
                            const Reductions &reductions, const SequenceRegion *region) {
  return Checker(graph, axes, assignment, reductions, region).run();
}

} // namespace autotp

#include "passes/recognise/expand_split_norms.h"

#include "compiler/ops/op_def.h"
#include "compiler/sharding/find_axes.h"

namespace autotp {
namespace {

/// The mean over the last dimension, which is kept with size 1.
ValueId meanOf(Builder &b, ValueId x) {
  const Type type = b.graph.type(x);
  llvm::SmallVector<int64_t, 6> last = {int64_t(type.shape.size()) - 1};
  ValueId sum = b.make("reduce_sum", {x}, {{"axes", last}, {"keepdims", int64_t(1)}});
  return b.make("mul", {sum, b.scalar(type.dtype, 1.0 / double(type.shape.back()))});
}

/// x / sqrt(mean(x^2) + epsilon) * scale; for a layer norm with x - mean(x) in place of x, and with a bias.
ValueId writtenOut(Builder &b, const Node &norm) {
  ValueId x = norm.operands[0];
  DType dtype = b.graph.type(x).dtype;
  if (norm.is("layer_norm")) x = b.make("sub", {x, meanOf(b, x)});
  ValueId variance = meanOf(b, b.make("mul", {x, x}));
  ValueId rstd = b.make("rsqrt", {b.make("add", {variance, b.scalar(dtype, norm.attributes.real("epsilon"))})});
  ValueId y = b.make("mul", {b.make("mul", {x, rstd}), norm.operands[1]});
  return norm.is("layer_norm") ? b.make("add", {y, norm.operands[2]}) : y;
}

bool isNormAlone(const Graph &graph, const Node &node) {
  if (!node.is("rms_norm") && !node.is("layer_norm")) return false;
  return llvm::all_of(llvm::ArrayRef<ValueId>(node.results).drop_front(),
                      [&](ValueId v) { return graph.value(v).uses.empty() && !graph.isOutput(v); });
}

} // namespace

llvm::Error expandSplitNorms(Graph &graph) {
  GraphAxes axes = findAxes(graph);
  for (NodeId id : graph.order()) {
    const Node node = graph.node(id);
    if (!isNormAlone(graph, node)) continue;
    AxisId last = axes.values[node.results[0]].back();
    if (last == kNoAxis || axes.arena.kind(last) != AxisArena::Kind::Product) continue;
    Builder b(graph, id);
    b.origin = node.origin;
    graph.replaceAllUses(node.results[0], writtenOut(b, node));
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

#include "passes/recognise/recognise_silu.h"

#include "passes/recognise/pattern.h"

namespace autotp {
namespace {

/// The x of 1 + exp(-x), else kNone.
ValueId matchOnePlusExp(const Graph &graph, ValueId value, Nodes &inside) {
  NodeId add = madeBy(graph, value, "add");
  if (add == kNone) return kNone;
  for (unsigned k : {0u, 1u}) {
    NodeId exp = madeBy(graph, graph.node(add).operands[k], "exp");
    if (exp == kNone || scalarOf(graph, graph.node(add).operands[1 - k]) != 1.0) continue;
    NodeId neg = madeBy(graph, graph.node(exp).operands[0], "neg");
    if (neg == kNone) continue;
    inside.append({add, exp, neg});
    return throughCasts(graph, graph.node(neg).operands[0]);
  }
  return kNone;
}

ValueId matchSilu(const Graph &graph, NodeId id, Nodes &inside) {
  const Node &node = graph.node(id);
  inside = {id};
  ValueId a = throughCasts(graph, node.operands[0]), b = throughCasts(graph, node.operands[1]);
  if (node.is("div")) return matchOnePlusExp(graph, b, inside) == a ? a : kNone;
  for (auto [x, gate] : {std::pair(a, b), std::pair(b, a)}) {
    NodeId sigmoid = madeBy(graph, gate, "sigmoid");
    if (sigmoid == kNone || throughCasts(graph, graph.node(sigmoid).operands[0]) != x) continue;
    inside.push_back(sigmoid);
    return x;
  }
  return kNone;
}

} // namespace

llvm::Error recogniseSilu(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("mul") && !graph.node(id).is("div")) continue;
    ValueId root = graph.node(id).results[0];
    Nodes inside;
    ValueId x = matchSilu(graph, id, inside);
    if (x == kNone || !(graph.type(x) == graph.type(root)) || !isClosed(graph, inside, root)) continue;
    graph.replaceAllUses(root, builderAt(graph, root).make("silu", {x}));
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

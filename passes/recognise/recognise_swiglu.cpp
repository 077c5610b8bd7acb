#include "passes/recognise/recognise_swiglu.h"

#include "passes/recognise/pattern.h"

namespace autotp {

llvm::Error recogniseSwiglu(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("mul")) continue;
    ValueId root = graph.node(id).results[0];
    for (unsigned k : {0u, 1u}) {
      NodeId silu = madeBy(graph, graph.node(id).operands[k], "silu");
      if (silu == kNone || !isClosed(graph, {id, silu}, root)) continue;
      ValueId gate = graph.node(silu).operands[0], up = graph.node(id).operands[1 - k];
      if (!(graph.type(gate) == graph.type(up))) continue;
      graph.replaceAllUses(root, builderAt(graph, root).make("swiglu", {gate, up}));
      break;
    }
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

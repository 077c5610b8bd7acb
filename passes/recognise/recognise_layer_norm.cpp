#include "passes/recognise/recognise_layer_norm.h"

#include "passes/recognise/pattern.h"

namespace autotp {
namespace {

/// The x of x - mean(x), else kNone.
ValueId matchCentred(const Graph &graph, ValueId value, Nodes &inside) {
  NodeId id = madeBy(graph, value, "sub");
  if (id == kNone) return kNone;
  ValueId x = throughCasts(graph, graph.node(id).operands[0]);
  inside.push_back(id);
  return matchMean(graph, graph.node(id).operands[1], inside) == x ? x : kNone;
}

/// Replaces a match at `root`. Exporters compute x - mean(x) once, or anew for each of its two uses.
bool recogniseAt(Graph &graph, ValueId root, ValueId product, ValueId bias) {
  std::optional<Normalised> match = matchNormalised(graph, product);
  if (!match || graph.type(bias).shape != graph.type(match->weight).shape || !(graph.type(root) == graph.type(product)))
    return false;
  ValueId x = matchCentred(graph, match->x, match->inside);
  if (x == kNone || matchCentred(graph, match->y, match->inside) != x) return false;
  match->inside.push_back(graph.value(root).producer);
  if (!isClosed(graph, match->inside, root)) return false;
  Builder b = builderAt(graph, root);
  graph.replaceAllUses(root, b.makeMany("layer_norm", {x, match->weight, bias}, {{"epsilon", match->epsilon}})[0]);
  return true;
}

} // namespace

llvm::Error recogniseLayerNorm(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("add")) continue;
    ValueId root = graph.node(id).results[0], a = graph.node(id).operands[0], b = graph.node(id).operands[1];
    if (!recogniseAt(graph, root, a, b)) recogniseAt(graph, root, b, a);
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

#include "passes/recognise/recognise_rms_norm.h"

#include "passes/recognise/pattern.h"

namespace autotp {

llvm::Error recogniseRmsNorm(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("mul") && !graph.node(id).is("div")) continue;
    ValueId root = graph.node(id).results[0];
    std::optional<Normalised> match = matchNormalised(graph, root);
    if (!match || match->x != match->y || !isClosed(graph, match->inside, root)) continue;
    Builder b = builderAt(graph, root);
    graph.replaceAllUses(root, b.makeMany("rms_norm", {match->x, match->weight}, {{"epsilon", match->epsilon}})[0]);
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

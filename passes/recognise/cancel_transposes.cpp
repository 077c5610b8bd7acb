#include "passes/recognise/cancel_transposes.h"

#include "passes/recognise/pattern.h"

namespace autotp {

llvm::Error cancelTransposes(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("transpose")) continue;
    ValueId root = graph.node(id).results[0], base = throughCasts(graph, graph.node(id).operands[0]);
    llvm::SmallVector<int64_t, 6> perm = llvm::to_vector<6>(graph.node(id).attributes.integers("perm"));
    bool isJoined = false;
    for (NodeId inner; (inner = madeBy(graph, base, "transpose")) != kNone; isJoined = true) {
      for (int64_t &p : perm)
        p = graph.node(inner).attributes.integers("perm")[p];
      base = throughCasts(graph, graph.node(inner).operands[0]);
    }
    bool isIdentity = true;
    for (size_t d = 0; d < perm.size(); ++d)
      isIdentity &= perm[d] == int64_t(d);
    if (isIdentity)
      graph.replaceAllUses(root, base);
    else if (isJoined)
      graph.replaceAllUses(root, builderAt(graph, root).transpose(base, perm));
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

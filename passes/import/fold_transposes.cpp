#include "passes/import/fold_transposes.h"

namespace autotp {
namespace {

bool swapsLastTwo(llvm::ArrayRef<int64_t> perm) {
  int64_t rank = int64_t(perm.size());
  for (int64_t d = 0; d + 2 < rank; ++d)
    if (perm[d] != d) return false;
  return rank >= 2 && perm[rank - 1] == rank - 2 && perm[rank - 2] == rank - 1;
}

} // namespace

llvm::Error foldTransposes(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("matmul")) continue;
    for (unsigned k : {0u, 1u}) {
      const Node *turn = graph.producer(graph.node(id).operands[k]);
      if (!turn || !turn->is("transpose") || !swapsLastTwo(turn->attributes.integers("perm"))) continue;
      llvm::StringRef flag = k == 0 ? "trans_a" : "trans_b";
      Attributes &attributes = graph.node(id).attributes;
      attributes.set(flag, int64_t(!attributes.integer(flag)));
      graph.setOperand(id, k, turn->operands[0]);
    }
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

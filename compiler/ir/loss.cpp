#include "compiler/ir/loss.h"

namespace autotp {

std::optional<CrossEntropyMean> crossEntropyMean(const Graph &graph, ValueId loss) {
  const Node *mean = graph.producer(loss);
  if (!mean || !mean->is("div")) return std::nullopt;
  const Node *entropy = graph.producer(mean->operands[0]);
  if (!entropy || !entropy->is("cross_entropy") || entropy->results[0] != mean->operands[0] ||
      entropy->results[1] != mean->operands[1])
    return std::nullopt;
  return CrossEntropyMean{mean->operands[0], mean->operands[1], entropy->operands[1]};
}

} // namespace autotp

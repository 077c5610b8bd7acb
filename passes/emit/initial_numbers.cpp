#include "passes/emit/initial_numbers.h"

namespace autotp {
namespace {

bool isView(const Node &node) {
  return node.is("cast") || node.is("reshape") || node.is("expand") || node.is("transpose");
}

/// Whether the forward graph only adds the value, or what is the same in another shape or type.
bool isOnlyAdded(const Graph &graph, ValueId value) {
  bool isAdded = false;
  for (Use use : graph.value(value).uses) {
    const Node &node = graph.node(use.node);
    if (node.backward) continue;
    const bool isTerm = node.is("add") || (node.is("layer_norm") && use.operand == 2) ||
                        (isView(node) && isOnlyAdded(graph, node.results[0]));
    if (!isTerm) return false;
    isAdded = true;
  }
  return isAdded;
}

} // namespace

InitialNumbers initialNumbersOf(const Graph &graph, ValueId parameter) {
  constexpr double kDeviation = 0.02; // that of GPT-2 and of most models since
  if (graph.type(parameter).shape.size() >= 2) return {0, kDeviation};
  return {isOnlyAdded(graph, parameter) ? 0.0 : 1.0, 0};
}

} // namespace autotp

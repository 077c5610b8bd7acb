#include "passes/recognise/recognise_gelu.h"

#include "passes/recognise/pattern.h"

namespace autotp {
namespace {

constexpr double kSqrtHalf = 0.7071067811865476, kSqrtTwoOverPi = 0.7978845608028654, kCubic = 0.044715;

/// Whether `value` is factor * x^power, in any spelling.
bool isPower(const Graph &graph, ValueId value, ValueId x, double power, double factor, Nodes &inside) {
  for (const Product &product : productsOf(graph, value, 3)) {
    double found = 0;
    Nodes taken = product.nodes;
    for (ValueId v : product.values) {
      NodeId id = madeBy(graph, v, "pow");
      if (v == x) {
        found += 1;
      } else if (id != kNone && throughCasts(graph, graph.node(id).operands[0]) == x) {
        found += scalarOf(graph, graph.node(id).operands[1]).value_or(1e9);
        taken.push_back(id);
      } else {
        found = 1e9;
      }
    }
    if (!product.divisors.empty() || found != power || !isNear(product.factor, factor)) continue;
    inside.append(taken.begin(), taken.end());
    return true;
  }
  return false;
}

/// Whether `value` is x^p + kCubic x^(p + 2), with p = 1 (x + ..) or 0 (1 + ..).
bool isCubic(const Graph &graph, ValueId value, ValueId x, double p, Nodes &inside) {
  NodeId id = madeBy(graph, value, "add");
  if (id == kNone) return false;
  for (unsigned k : {0u, 1u}) {
    Nodes taken = {id};
    if (!isPower(graph, graph.node(id).operands[k], x, p, 1, taken)) continue;
    if (!isPower(graph, graph.node(id).operands[1 - k], x, p + 2, kCubic, taken)) continue;
    inside.append(taken.begin(), taken.end());
    return true;
  }
  return false;
}

/// Whether `value` is sqrt(2/pi) (x + kCubic x^3), perhaps with x factored out.
bool isTanhArgument(const Graph &graph, ValueId value, ValueId x, Nodes &inside) {
  for (const Product &product : productsOf(graph, value, 2)) {
    if (!product.divisors.empty() || !isNear(product.factor, kSqrtTwoOverPi)) continue;
    Nodes taken = product.nodes;
    bool isMatch = product.values.size() == 1 && isCubic(graph, product.values[0], x, 1, taken);
    for (unsigned k : {0u, 1u})
      if (!isMatch && product.values.size() == 2 && product.values[k] == x)
        isMatch = isCubic(graph, product.values[1 - k], x, 0, taken);
    if (!isMatch) continue;
    inside.append(taken.begin(), taken.end());
    return true;
  }
  return false;
}

/// Matches 1 + erf(x / sqrt 2) (returns 0) or 1 + tanh(..) (returns 1).
std::optional<int64_t> matchGate(const Graph &graph, ValueId value, ValueId x, Nodes &inside) {
  NodeId add = madeBy(graph, value, "add");
  if (add == kNone) return std::nullopt;
  inside.push_back(add);
  for (unsigned k : {0u, 1u}) {
    if (scalarOf(graph, graph.node(add).operands[1 - k]) != 1.0) continue;
    NodeId erf = madeBy(graph, graph.node(add).operands[k], "erf"),
           tanh = madeBy(graph, graph.node(add).operands[k], "tanh");
    if (erf != kNone && isPower(graph, graph.node(erf).operands[0], x, 1, kSqrtHalf, inside))
      return inside.push_back(erf), 0;
    if (tanh != kNone && isTanhArgument(graph, graph.node(tanh).operands[0], x, inside))
      return inside.push_back(tanh), 1;
  }
  return std::nullopt;
}

} // namespace

llvm::Error recogniseGelu(Graph &graph) {
  for (NodeId id : graph.order()) {
    if (!graph.node(id).is("mul") && !graph.node(id).is("div")) continue;
    ValueId root = graph.node(id).results[0];
    for (const Product &product : productsOf(graph, root, 2)) {
      if (product.values.size() != 2 || !product.divisors.empty() || product.factor != 0.5) continue;
      bool isDone = false;
      for (unsigned k : {0u, 1u}) {
        ValueId x = product.values[k];
        Nodes inside = product.nodes;
        std::optional<int64_t> form = matchGate(graph, product.values[1 - k], x, inside);
        if (isDone || !form || !(graph.type(x) == graph.type(root)) || !isClosed(graph, inside, root)) continue;
        graph.replaceAllUses(root, builderAt(graph, root).make("gelu", {x}, {{"tanh", *form}}));
        isDone = true;
      }
      if (isDone) break;
    }
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

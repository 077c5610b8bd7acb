#include "passes/recognise/pattern.h"

#include <cmath>
#include <cstring>

namespace autotp {

ValueId throughCasts(const Graph &graph, ValueId value) {
  while (const Node *node = graph.producer(value)) {
    if (!node->is("cast") || !(graph.type(node->operands[0]) == graph.type(value))) break;
    value = node->operands[0];
  }
  return value;
}

NodeId madeBy(const Graph &graph, ValueId value, llvm::StringRef op) {
  value = throughCasts(graph, value);
  const Node *node = graph.producer(value);
  return node && node->is(op) ? graph.value(value).producer : kNone;
}

std::optional<double> uniformOf(const Graph &graph, ValueId id) {
  const Value &value = graph.value(throughCasts(graph, id));
  if (const Node *node = graph.producer(throughCasts(graph, id)))
    return node->is("full") ? std::optional<double>(node->attributes.real("value")) : std::nullopt;
  if (value.kind != ValueKind::Constant || !value.contents) return std::nullopt;
  const Tensor &tensor = *value.contents;
  size_t size = sizeOf(value.type.dtype);
  if (tensor.bytes.size() < size) return std::nullopt;
  if (std::memcmp(tensor.bytes.data(), tensor.bytes.data() + size, tensor.bytes.size() - size) != 0)
    return std::nullopt;
  return toArray(Tensor{Type{value.type.dtype, {}}, tensor.bytes.take_front(size), tensor.owner}).data[0];
}

std::optional<double> scalarOf(const Graph &graph, ValueId value) {
  return graph.type(value).elements() == 1 ? uniformOf(graph, value) : std::nullopt;
}

bool isNear(double a, double b) { return a == b || std::fabs(a - b) <= 1e-6 * std::max(std::fabs(a), std::fabs(b)); }

namespace {

Product joined(const Product &a, const Product &b, NodeId node) {
  Product both = a;
  both.factor *= b.factor;
  both.values.append(b.values.begin(), b.values.end());
  both.divisors.append(b.divisors.begin(), b.divisors.end());
  both.nodes.append(b.nodes.begin(), b.nodes.end());
  both.nodes.push_back(node);
  return both;
}

/// The product 1 / value.
Product inverseOf(const Graph &graph, ValueId value) {
  Product product;
  if (std::optional<double> scalar = scalarOf(graph, value))
    product.factor = 1 / *scalar;
  else
    product.divisors.push_back(throughCasts(graph, value));
  return product;
}

} // namespace

llvm::SmallVector<Product, 4> productsOf(const Graph &graph, ValueId value, unsigned depth) {
  Product whole;
  if (std::optional<double> scalar = scalarOf(graph, value))
    whole.factor = *scalar;
  else
    whole.values.push_back(throughCasts(graph, value));
  llvm::SmallVector<Product, 4> all = {whole};
  NodeId id = graph.value(throughCasts(graph, value)).producer;
  if (depth == 0 || id == kNone) return all;
  const Node &node = graph.node(id);
  if (node.is("mul"))
    for (const Product &a : productsOf(graph, node.operands[0], depth - 1))
      for (const Product &b : productsOf(graph, node.operands[1], depth - 1))
        all.push_back(joined(a, b, id));
  if (node.is("div"))
    for (const Product &a : productsOf(graph, node.operands[0], depth - 1))
      all.push_back(joined(a, inverseOf(graph, node.operands[1]), id));
  if (node.is("reciprocal")) all.push_back(joined(inverseOf(graph, node.operands[0]), Product(), id));
  return all;
}

ValueId matchSquare(const Graph &graph, ValueId value, Nodes &inside) {
  if (NodeId id = madeBy(graph, value, "mul"); id != kNone) {
    ValueId a = throughCasts(graph, graph.node(id).operands[0]), b = throughCasts(graph, graph.node(id).operands[1]);
    if (a != b) return kNone;
    inside.push_back(id);
    return a;
  }
  NodeId id = madeBy(graph, value, "pow");
  if (id == kNone || scalarOf(graph, graph.node(id).operands[1]) != 2.0) return kNone;
  inside.push_back(id);
  return throughCasts(graph, graph.node(id).operands[0]);
}

ValueId matchMean(const Graph &graph, ValueId value, Nodes &inside) {
  for (const Product &product : productsOf(graph, value, 1)) {
    if (product.values.size() != 1 || !product.divisors.empty()) continue;
    NodeId id = madeBy(graph, product.values[0], "reduce_sum");
    if (id == kNone) continue;
    const Node &sum = graph.node(id);
    const Shape &shape = graph.type(sum.operands[0]).shape;
    bool isLast = sum.attributes.integers("axes") == llvm::ArrayRef<int64_t>{int64_t(shape.size()) - 1};
    if (!isLast || !sum.attributes.integer("keepdims") || !isNear(product.factor, 1.0 / double(shape.back()))) continue;
    inside.append(product.nodes.begin(), product.nodes.end());
    inside.push_back(id);
    return throughCasts(graph, sum.operands[0]);
  }
  return kNone;
}

namespace {

struct MeanSquare {
  ValueId y;
  double epsilon;
};

/// Matches mean(y^2) + epsilon.
std::optional<MeanSquare> matchMeanSquare(const Graph &graph, ValueId value, Nodes &inside) {
  NodeId id = madeBy(graph, value, "add");
  if (id == kNone) return std::nullopt;
  const Node &add = graph.node(id);
  for (unsigned k : {0u, 1u}) {
    std::optional<double> epsilon = scalarOf(graph, add.operands[1 - k]);
    Nodes taken = {id};
    ValueId square = epsilon ? matchMean(graph, add.operands[k], taken) : kNone;
    ValueId y = square == kNone ? kNone : matchSquare(graph, square, taken);
    if (y == kNone) continue;
    inside.append(taken.begin(), taken.end());
    return MeanSquare{y, *epsilon};
  }
  return std::nullopt;
}

/// Takes the factor 1 / sqrt(mean(y^2) + epsilon) out of `product`; what remains must be x and a weight.
std::optional<Normalised> readNormalised(const Graph &graph, Product product, const Shape &shape) {
  Nodes inside = product.nodes;
  NodeId root = kNone;
  if (product.divisors.size() == 1 && product.values.size() == 2) root = madeBy(graph, product.divisors[0], "sqrt");
  for (size_t k = 0;
       root == kNone && product.divisors.empty() && product.values.size() == 3 && k < product.values.size(); ++k) {
    NodeId id = madeBy(graph, product.values[k], "rsqrt");
    if (id == kNone) id = madeBy(graph, product.values[k], "pow");
    if (id == kNone || (graph.node(id).is("pow") && scalarOf(graph, graph.node(id).operands[1]) != -0.5)) continue;
    root = id;
    product.values.erase(product.values.begin() + k);
  }
  if (root == kNone || product.factor != 1 || product.values.size() != 2) return std::nullopt;
  inside.push_back(root);
  std::optional<MeanSquare> mean = matchMeanSquare(graph, graph.node(root).operands[0], inside);
  if (!mean) return std::nullopt;
  for (unsigned k : {0u, 1u}) {
    ValueId x = product.values[k], weight = product.values[1 - k];
    if (graph.type(x).shape == shape && graph.type(mean->y).shape == shape &&
        graph.type(weight).shape == Shape{shape.back()})
      return Normalised{x, mean->y, weight, mean->epsilon, inside};
  }
  return std::nullopt;
}

} // namespace

std::optional<Normalised> matchNormalised(const Graph &graph, ValueId value) {
  const Shape &shape = graph.type(value).shape;
  if (shape.empty()) return std::nullopt;
  for (const Product &product : productsOf(graph, value, 3))
    if (auto match = readNormalised(graph, product, shape)) return match;
  return std::nullopt;
}

bool isClosed(const Graph &graph, llvm::ArrayRef<NodeId> inside, ValueId root) {
  llvm::SmallVector<ValueId, 16> worklist;
  for (NodeId id : inside)
    llvm::append_range(worklist, graph.node(id).results);
  while (!worklist.empty()) {
    ValueId value = worklist.pop_back_val();
    if (value == root) continue;
    if (graph.isOutput(value)) return false;
    for (Use use : graph.value(value).uses) {
      if (llvm::is_contained(inside, use.node)) continue;
      ValueId result = graph.node(use.node).results[0];
      if (throughCasts(graph, result) != throughCasts(graph, value)) return false;
      worklist.push_back(result);
    }
  }
  return true;
}

Builder builderAt(Graph &graph, ValueId root) {
  Builder builder(graph, graph.value(root).producer);
  builder.origin = graph.node(builder.before).origin;
  return builder;
}

} // namespace autotp

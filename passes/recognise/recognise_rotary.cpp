#include "passes/recognise/recognise_rotary.h"

#include "passes/recognise/pattern.h"

#include "llvm/ADT/MapVector.h"

namespace autotp {
namespace {

struct Rotary {
  ValueId x, cosine, sine;
  Nodes inside;
};

/// Whether `value` is the first or second half of x along its last dimension.
bool isHalf(const Graph &graph, ValueId value, ValueId x, bool isSecond, Nodes &inside) {
  NodeId id = madeBy(graph, value, "slice");
  if (id == kNone || throughCasts(graph, graph.node(id).operands[0]) != x) return false;
  const Attributes &a = graph.node(id).attributes;
  int64_t rank = int64_t(graph.type(x).shape.size()), size = graph.type(x).shape.back();
  inside.push_back(id);
  return a.integer("axis") == rank - 1 && a.integer("step", 1) == 1 && a.integer("length") == size / 2 &&
         a.integer("start") == (isSecond ? size / 2 : 0);
}

/// Whether `value` is concat(-x2, x1), where x1 and x2 are the halves of x.
bool isTurned(const Graph &graph, ValueId value, ValueId x, Nodes &inside) {
  NodeId concat = madeBy(graph, value, "concat");
  if (concat == kNone || graph.node(concat).operands.size() != 2) return false;
  if (graph.node(concat).attributes.integer("axis") != int64_t(graph.type(x).shape.size()) - 1) return false;
  NodeId neg = madeBy(graph, graph.node(concat).operands[0], "neg");
  if (neg == kNone) return false;
  inside.append({concat, neg});
  return isHalf(graph, graph.node(neg).operands[0], x, true, inside) &&
         isHalf(graph, graph.node(concat).operands[1], x, false, inside);
}

std::optional<Rotary> matchRotary(const Graph &graph, NodeId id) {
  const Node &add = graph.node(id);
  const Type &type = graph.type(add.results[0]);
  if (!add.is("add") || type.shape.size() != 4 || type.shape[3] % 2 != 0) return std::nullopt;
  // bits: which product is the plain one, and the order of the operands of each
  for (unsigned order = 0; order < 8; ++order) {
    NodeId plain = madeBy(graph, add.operands[order & 1], "mul"),
           turned = madeBy(graph, add.operands[1 - (order & 1)], "mul");
    if (plain == kNone || turned == kNone) return std::nullopt;
    unsigned p = (order >> 1) & 1, t = (order >> 2) & 1;
    ValueId x = throughCasts(graph, graph.node(plain).operands[p]);
    Rotary match{x, graph.node(plain).operands[1 - p], graph.node(turned).operands[1 - t], {id, plain, turned}};
    if (!(graph.type(x) == type) || !isTurned(graph, graph.node(turned).operands[t], x, match.inside)) continue;
    if (isClosed(graph, match.inside, add.results[0])) return match;
  }
  return std::nullopt;
}

/// Tables of [s, d/2], by the value from which they were made and the dimension of the sequence.
class Tables {
public:
  explicit Tables(Graph &graph) : graph_(graph) {}

  /// The table for an x of `shape` whose sequence is dimension `sequence`; kNone if `table` does not fit or its halves
  /// differ.
  ValueId find(ValueId table, const Shape &shape, unsigned sequence, NodeId before) {
    table = throughCasts(graph_, table);
    auto [at, isNew] = made_.insert({{table, sequence}, kNone});
    if (!isNew) return at->second; // a computed one stands before an earlier node
    bool isConstant = graph_.value(table).kind == ValueKind::Constant && graph_.value(table).contents;
    return at->second =
               isConstant ? halved(table, shape, sequence) : halvedByConstruction(table, shape, sequence, before);
  }

private:
  ValueId halved(ValueId table, const Shape &shape, unsigned sequence) {
    const Type type = graph_.type(table);
    if (!broadcastsTo(type.shape, shape)) return kNone;
    Array from = toArray(*graph_.value(table).contents), to(Type{type.dtype, {shape[sequence], shape[3] / 2}});
    Shape padded(4 - type.shape.size(), 1);
    padded.append(type.shape.begin(), type.shape.end());
    if (padded[sequence] != shape[sequence]) return kNone;
    std::vector<bool> isSet(to.data.size(), false);
    int64_t stride = sequence == 2 ? padded[3] : padded[2] * padded[3];
    for (size_t i = 0; i < from.data.size(); ++i) {
      int64_t row = int64_t(i) / stride % padded[sequence], column = int64_t(i) % padded[3] % (shape[3] / 2);
      size_t k = size_t(row * (shape[3] / 2) + column);
      if (isSet[k] && to.data[k] != from.data[i]) return kNone;
      to.data[k] = from.data[i];
      isSet[k] = true;
    }
    return graph_.addConstant(graph_.value(table).name + ".half", toTensor(to));
  }

  /// Whether a table has all columns, and broadcasts to `shape`.
  bool broadcastsTo(const Shape &table, const Shape &shape) const {
    if (table.size() < 2 || table.size() > 4 || table.back() != shape[3]) return false;
    for (size_t d = 0; d < table.size(); ++d)
      if (table[d] != 1 && table[d] != shape[4 - table.size() + d]) return false;
    return true;
  }

  /// Slices a computed table, if its nodes show that its halves are equal.
  ValueId halvedByConstruction(ValueId table, const Shape &shape, unsigned sequence, NodeId before) {
    Shape padded(4 - std::min<size_t>(4, graph_.type(table).shape.size()), 1);
    padded.append(graph_.type(table).shape.begin(), graph_.type(table).shape.end());
    Shape expected = {1, 1, 1, shape[3]};
    expected[sequence] = shape[sequence];
    if (padded != expected || !hasEqualHalves(table)) return kNone;
    Builder b(graph_, before);
    int64_t last = int64_t(graph_.type(table).shape.size()) - 1;
    ValueId half = b.make("slice", {table},
                          {{"axis", last}, {"length", shape[3] / 2}, {"start", int64_t(0)}, {"step", int64_t(1)}});
    return b.reshape(half, {shape[sequence], shape[3] / 2});
  }

  bool hasEqualHalves(ValueId value) const {
    const Node *node = graph_.producer(value);
    if (!node) return false;
    const Shape &from = node->operands.empty() ? graph_.type(value).shape : graph_.type(node->operands[0]).shape;
    if (node->is("concat"))
      return node->operands.size() == 2 && node->operands[0] == node->operands[1] &&
             node->attributes.integer("axis") == int64_t(from.size()) - 1;
    if (node->is("cos") || node->is("sin") || node->is("cast") || node->is("neg"))
      return hasEqualHalves(node->operands[0]);
    if (node->is("reshape") || node->is("expand"))
      return !from.empty() && from.back() == graph_.type(value).shape.back() && hasEqualHalves(node->operands[0]);
    if (node->is("mul"))
      for (unsigned k : {0u, 1u})
        if (scalarOf(graph_, node->operands[1 - k])) return hasEqualHalves(node->operands[k]);
    return false;
  }

  Graph &graph_;
  llvm::MapVector<std::pair<ValueId, unsigned>, ValueId> made_;
};

} // namespace

llvm::Error recogniseRotary(Graph &graph) {
  Tables tables(graph);
  for (NodeId id : graph.order()) {
    std::optional<Rotary> match = matchRotary(graph, id);
    if (!match) continue;
    ValueId root = graph.node(id).results[0];
    const Shape shape = graph.type(root).shape;
    for (unsigned sequence : {2u, 1u}) {
      ValueId cosine = tables.find(match->cosine, shape, sequence, id);
      ValueId sine = cosine == kNone ? kNone : tables.find(match->sine, shape, sequence, id);
      if (sine == kNone) continue;
      Builder b = builderAt(graph, root);
      ValueId x = sequence == 2 ? b.transpose(match->x, {0, 2, 1, 3}) : match->x;
      ValueId y = b.make("rotary", {x, cosine, sine}, {{"inverse", int64_t(0)}});
      graph.replaceAllUses(root, sequence == 2 ? b.transpose(y, {0, 2, 1, 3}) : y);
      break;
    }
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

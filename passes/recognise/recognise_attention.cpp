#include "passes/recognise/recognise_attention.h"

#include "passes/recognise/attention_mask.h"

namespace autotp {
namespace {

using Perm = llvm::SmallVector<int64_t, 6>;

/// An operand [b, h, ..] of a product: transpose(base, perm), without the factors that were folded into the scale.
struct Side {
  ValueId base;
  Perm perm = {0, 1, 2, 3};
  bool isGrouped = false; ///< the base is [b, kv, group, m, n] and still to be merged to [b, kv * group, m, n]
  int64_t heads() const { return perm[1]; } ///< the dimension of `base` that is the heads
};

/// The shape of a base with its groups merged.
Shape baseShape(const Graph &graph, const Side &side) {
  const Shape &shape = graph.type(side.base).shape;
  return side.isGrouped ? Shape{shape[0], shape[1] * shape[2], shape[3], shape[4]} : shape;
}

struct Attention {
  Side q, k, v; ///< k is [b, h, t, d] after its perm
  bool isValueTransposed = false;
  bool isWhole = false;  ///< it was one operator already
  bool isCausal = false; ///< in addition to its masks
  double scale = 1;
  llvm::SmallVector<MaskTerm, 2> masks;
  Type scores; ///< [b, h, s, t]
  ValueId root = kNone;
  Nodes inside;
};

/// The operand of a reshape from [b*h, m, n] to [b, h, m, n] or back, else kNone.
ValueId parted(const Graph &graph, ValueId value, const Shape &batch) {
  NodeId id = madeBy(graph, value, "reshape");
  if (id == kNone) return kNone;
  ValueId from = throughCasts(graph, graph.node(id).operands[0]);
  const Shape &a = graph.type(from).shape, &z = graph.type(value).shape;
  auto isPair = [&](const Shape &merged, const Shape &whole) {
    return merged.size() == 3 && whole.size() == 4 && merged[0] == batch[0] * batch[1] && whole[0] == batch[0] &&
           whole[1] == batch[1] && merged[1] == whole[2] && merged[2] == whole[3];
  };
  return isPair(a, z) || isPair(z, a) ? from : kNone;
}

/// If one reshape merged [b, kv, group, m, n] to the base [b*h, m, n], makes the former the base.
bool partGroups(const Graph &graph, Side &side, const Shape &batch) {
  NodeId id = madeBy(graph, side.base, "reshape");
  if (id == kNone) return false;
  const Shape &from = graph.type(graph.node(id).operands[0]).shape, &merged = graph.type(side.base).shape;
  if (from.size() != 5 || from[0] != batch[0] || from[1] * from[2] != batch[1] || from[3] != merged[1] ||
      from[4] != merged[2])
    return false;
  side.base = graph.node(id).operands[0];
  side.isGrouped = true;
  return true;
}

/// Follows `value` ([b, h, m, n] or [b*h, m, n]) back through scales, transposes, and merges of its first two
/// dimensions.
std::optional<Side> followSide(const Graph &graph, ValueId value, const Shape &batch, double *scale) {
  Side side{throughCasts(graph, value)};
  bool isMerged = graph.type(value).shape.size() == 3;
  while (true) {
    ValueId at = throughCasts(graph, side.base);
    side.base = at;
    bool isPlain = side.perm == Perm{0, 1, 2, 3} || side.perm == Perm{0, 1, 3, 2};
    const Node *node = graph.producer(at);
    if (!node) break;
    if (node->is("transpose")) {
      llvm::ArrayRef<int64_t> perm = node->attributes.integers("perm");
      if (isMerged && perm != llvm::ArrayRef<int64_t>{0, 2, 1}) break;
      if (isMerged)
        std::swap(side.perm[2], side.perm[3]);
      else
        for (int64_t &p : side.perm)
          p = perm[p];
      side.base = node->operands[0];
      continue;
    }
    if (ValueId from = isPlain ? parted(graph, at, batch) : kNone; from != kNone) {
      isMerged = !isMerged;
      side.base = from;
      continue;
    }
    bool isScaled = false;
    if (scale)
      for (const Product &product : productsOf(graph, at, 1)) {
        if (product.nodes.empty() || product.values.size() != 1 || !product.divisors.empty() || isScaled) continue;
        if (graph.type(product.values[0]).shape != graph.type(at).shape) continue;
        *scale *= product.factor;
        side.base = product.values[0];
        isScaled = true;
      }
    if (!isScaled) break;
  }
  if (isMerged && !partGroups(graph, side, batch)) return std::nullopt;
  if (baseShape(graph, side).size() != 4) return std::nullopt;
  return side;
}

/// The value before its heads were repeated in groups, by reshape(expand(reshape(k))), or by expand(k) of one head;
/// kNone if they were not.
ValueId unrepeated(const Graph &graph, const Side &side) {
  const Shape whole = baseShape(graph, side);
  int64_t heads = side.heads();
  if (NodeId expand = side.isGrouped ? kNone : madeBy(graph, side.base, "expand"); expand != kNone) {
    ValueId source = graph.node(expand).operands[0];
    Shape few = whole;
    few[heads] = 1;
    return graph.type(source).shape == few ? source : kNone;
  }
  NodeId merge = side.isGrouped ? kNone : madeBy(graph, side.base, "reshape");
  if (!side.isGrouped && merge == kNone) return kNone;
  ValueId groups = side.isGrouped ? side.base : graph.node(merge).operands[0];
  NodeId expand = madeBy(graph, groups, "expand");
  NodeId part = expand == kNone ? kNone : madeBy(graph, graph.node(expand).operands[0], "reshape");
  if (part == kNone) return kNone;
  ValueId source = graph.node(part).operands[0];
  const Shape &few = graph.type(source).shape, &repeated = graph.type(groups).shape;
  if (few.size() != 4 || repeated.size() != 5) return kNone;
  Shape inserted = few, merged = few;
  inserted.insert(inserted.begin() + heads + 1, 1);
  if (graph.type(graph.node(expand).operands[0]).shape != inserted) return kNone;
  int64_t group = repeated[heads + 1];
  inserted[heads + 1] = group;
  merged[heads] *= group;
  return repeated == inserted && whole == merged ? source : kNone;
}

/// Follows the probabilities from the softmax to the product with v, through a replacement of NaN. Returns false if the
/// graph has another form.
bool followProbabilities(const Graph &graph, ValueId p, Attention &match, ValueId &v, bool &isMerged) {
  auto onlyUser = [&](ValueId value, llvm::StringRef op) {
    const Value &at = graph.value(value);
    return at.uses.size() == 1 && !graph.isOutput(value) && graph.node(at.uses[0].node).is(op) ? at.uses[0].node
                                                                                               : kNone;
  };
  auto take = [&](NodeId id) {
    match.inside.push_back(id);
    p = graph.node(id).results[0];
  };
  while (true) {
    NodeId next = onlyUser(p, "cast");
    if (next == kNone || !(graph.type(graph.node(next).results[0]) == graph.type(p))) break;
    take(next);
  }
  if (graph.value(p).uses.size() == 2) {
    for (Use use : graph.value(p).uses) {
      const Node &where = graph.node(use.node);
      if (!where.is("where") || use.operand != 2 || uniformOf(graph, where.operands[1]) != 0.0) continue;
      NodeId isNan = madeBy(graph, where.operands[0], "is_nan");
      if (isNan == kNone || graph.node(isNan).operands[0] != p || !(graph.type(where.results[0]) == graph.type(p)))
        continue;
      match.inside.push_back(isNan);
      take(use.node);
      break;
    }
  }
  if (NodeId merge = onlyUser(p, "reshape"); merge != kNone) {
    if (parted(graph, graph.node(merge).results[0], match.scores.shape) == kNone) return false;
    take(merge);
    isMerged = true;
  }
  NodeId product = onlyUser(p, "matmul");
  if (product == kNone || graph.node(product).operands[0] != p || graph.node(product).attributes.integer("trans_a"))
    return false;
  v = graph.node(product).operands[1];
  match.isValueTransposed = graph.node(product).attributes.integer("trans_b");
  take(product);
  NodeId part = isMerged ? onlyUser(p, "reshape") : kNone;
  if (part != kNone && parted(graph, graph.node(part).results[0], match.scores.shape) != kNone) take(part);
  match.root = p;
  return true;
}

/// Follows the operand of the softmax back to the product of q and k, through masks, scales and reshapes, in any order.
std::optional<Attention> followScores(const Graph &graph, ValueId value, Attention match) {
  ValueId at = throughCasts(graph, value);
  NodeId id = graph.value(at).producer;
  constexpr size_t kMostNodes = 16;
  if (id == kNone || match.inside.size() > kMostNodes) return std::nullopt;
  const Node &node = graph.node(id);
  const Shape &batch = match.scores.shape;
  match.inside.push_back(id);
  auto isWhole = [&](ValueId operand) { return graph.type(operand).shape == graph.type(at).shape; };
  if (node.is("matmul")) {
    auto q = followSide(graph, node.operands[0], batch, &match.scale),
         k = followSide(graph, node.operands[1], batch, &match.scale);
    if (!q || !k || node.attributes.integer("trans_a")) return std::nullopt;
    if (!node.attributes.integer("trans_b")) std::swap(k->perm[2], k->perm[3]);
    match.q = *q, match.k = *k;
    return match;
  }
  if (node.is("reshape")) {
    ValueId from = parted(graph, at, batch);
    return from == kNone ? std::nullopt : followScores(graph, from, match);
  }
  bool isAdd = node.is("add"), isWhere = node.is("where");
  if ((isAdd || isWhere) && match.scale == 1)
    for (unsigned k = isWhere; k < isWhere + 2u; ++k) {
      ValueId other = node.operands[isWhere + 1 - (k - isWhere)];
      std::optional<double> fill = isWhere ? uniformOf(graph, other) : 0.0;
      if (!isWhole(node.operands[k]) || !fill) continue;
      Attention next = match;
      next.masks.push_back(
          {throughCasts(graph, isWhere ? node.operands[0] : other), isWhere, k == 1 && isWhere, *fill});
      if (auto found = followScores(graph, node.operands[k], std::move(next))) return found;
    }
  for (const Product &product : productsOf(graph, at, 1)) {
    if (product.nodes.empty() || product.values.size() != 1 || !product.divisors.empty() || !isWhole(product.values[0]))
      continue;
    Attention next = match;
    next.scale *= product.factor;
    if (auto found = followScores(graph, product.values[0], std::move(next))) return found;
  }
  return std::nullopt;
}

/// Matches an attention around a softmax. It must be over [b, h, s, t], since only that shows which dimension is the
/// heads.
std::optional<Attention> matchAttention(const Graph &graph, NodeId softmax) {
  Attention match;
  match.scores = graph.type(graph.node(softmax).results[0]);
  if (match.scores.shape.size() != 4) return std::nullopt;
  match.inside = {softmax};
  ValueId value = kNone;
  bool isMerged = false;
  if (!followProbabilities(graph, graph.node(softmax).results[0], match, value, isMerged)) return std::nullopt;
  auto found = followScores(graph, graph.node(softmax).operands[0], std::move(match));
  if (!found) return std::nullopt;
  auto v = followSide(graph, value, found->scores.shape, nullptr);
  if (!v || (graph.type(value).shape.size() == 3) != isMerged || !isClosed(graph, found->inside, found->root))
    return std::nullopt;
  if (found->isValueTransposed) std::swap(v->perm[2], v->perm[3]);
  found->v = *v;
  auto sizeOf = [&](const Side &side, unsigned d) { return baseShape(graph, side)[side.perm[d]]; };
  for (const Side *side : {&found->q, &found->k, &found->v})
    for (unsigned d : {0u, 1u})
      if (sizeOf(*side, d) != found->scores.shape[d]) return std::nullopt; // the product broadcasts it
  return found;
}

/// Matches an attention that the exporter wrote as one operator. It may still repeat heads, or have a constant causal
/// mask.
std::optional<Attention> matchWhole(const Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  if (!graph.value(node.results[1]).uses.empty() || graph.isOutput(node.results[1])) return std::nullopt;
  const Shape &q = graph.type(node.operands[0]).shape, &k = graph.type(node.operands[1]).shape;
  Attention match;
  match.isWhole = true;
  match.isCausal = node.attributes.integer("causal");
  match.scale = node.attributes.real("scale", 1);
  match.scores = Type{graph.type(node.operands[0]).dtype, {q[0], q[2], q[1], k[1]}};
  match.root = node.results[0];
  Side *sides[] = {&match.q, &match.k, &match.v};
  for (unsigned i = 0; i < 3; ++i) {
    sides[i]->base = node.operands[i];
    sides[i]->perm = {0, 2, 1, 3};
    while (true) {
      NodeId transpose = madeBy(graph, sides[i]->base, "transpose");
      if (transpose == kNone) break;
      for (int64_t &p : sides[i]->perm)
        p = graph.node(transpose).attributes.integers("perm")[p];
      sides[i]->base = graph.node(transpose).operands[0];
    }
  }
  if (node.operands.size() > 3) match.masks.push_back({throughCasts(graph, node.operands[3])});
  return match;
}

/// Brings [b, h, length, size] to [b, length, h, size] by at most one transpose of its base.
ValueId buildSide(Builder &b, const Side &side) {
  Perm perm = {side.perm[0], side.perm[2], side.perm[1], side.perm[3]};
  ValueId base = b.reshape(side.base, baseShape(b.graph, side));
  return perm == Perm{0, 1, 2, 3} ? base : b.transpose(base, perm);
}

void replaceAttention(Graph &graph, Attention &match, MadeMasks &masks) {
  NodeId before = graph.value(match.root).producer;
  ValueId k = unrepeated(graph, match.k), v = unrepeated(graph, match.v);
  bool isRepeated =
      k != kNone && v != kNone && graph.type(k).shape[match.k.heads()] == graph.type(v).shape[match.v.heads()];
  if (isRepeated) {
    match.k = Side{k, match.k.perm};
    match.v = Side{v, match.v.perm};
  }
  auto [at, isNew] = masks.try_emplace({{match.masks.begin(), match.masks.end()}, match.scores.text()});
  if (isNew) at->second = makeMask(graph, match.masks, match.scores, before);
  const std::optional<Mask> &mask = at->second;
  if (!mask) return;
  if (match.isWhole && !isRepeated && (match.masks.empty() || mask->value == match.masks[0].value))
    return; // nothing would improve
  Builder b = builderAt(graph, match.root);
  llvm::SmallVector<ValueId, 4> operands = {buildSide(b, match.q), buildSide(b, match.k), buildSide(b, match.v)};
  if (mask->value != kNone) operands.push_back(mask->value);
  int64_t causal = match.isCausal || mask->isCausal;
  Attributes attributes = {{"causal", causal}, {"scale", match.scale}};
  if (mask->replaces) attributes.set("replaces", int64_t(1));
  ValueId y = b.makeMany("attention", operands, attributes)[0];
  const Shape shape = graph.type(match.root).shape;
  graph.replaceAllUses(match.root, match.isWhole ? y : b.reshape(b.transpose(y, {0, 2, 1, 3}), shape));
}

} // namespace

llvm::Error recogniseAttention(Graph &graph) {
  MadeMasks masks;
  for (NodeId id : graph.order()) {
    std::optional<Attention> match;
    if (graph.node(id).is("softmax")) match = matchAttention(graph, id);
    if (graph.node(id).is("attention")) match = matchWhole(graph, id);
    if (match) replaceAttention(graph, *match, masks);
  }
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

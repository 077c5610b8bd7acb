// compiler/ops/attention.cpp: attention, whose query heads may share keys and values, and rotary positions.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"
#include "runtime/plan/kernels/attention_workspace.h"

#include <cmath>

namespace autotp {
namespace {

struct Sizes {
  int64_t b, s, h, d, t, kv, e;
  int64_t group() const { return kv ? h / kv : 0; }
};

llvm::Expected<Sizes> sizesOf(const OpCall &call) {
  for (const Type &type : call.operands.take_front(3))
    if (type.shape.size() != 4) return typeProblem("it needs [batch, sequence, heads, head dimension]");
  const Shape &q = call.operands[0].shape, &k = call.operands[1].shape, &v = call.operands[2].shape;
  if (q[0] != k[0] || q[0] != v[0] || k[1] != v[1] || k[2] != v[2] || q[3] != k[3] ||
      (k[2] == 0 ? q[2] != 0 : q[2] % k[2] != 0))
    return typeProblem("its q, k and v are " + llvm::Twine(call.operands[0].text()) + ", " + call.operands[1].text() +
                       " and " + call.operands[2].text());
  return Sizes{q[0], q[1], q[2], q[3], k[1], k[2], v[3]};
}

llvm::Expected<Types> inferAttention(const OpCall &call) {
  llvm::Expected<Sizes> z = sizesOf(call);
  if (!z) return z.takeError();
  const DType own = call.operands[0].dtype, statistics = own == DType::F64 ? DType::F64 : DType::F32;
  for (const Type &type : call.operands.slice(1, 2))
    if (type.dtype != own) return typeProblem("it has operands of several element types");
  if (call.operands.size() > 3) {
    const Shape &mask = call.operands[3].shape;
    if (call.operands[3].dtype != statistics) return typeProblem("its mask is " + llvm::Twine(call.operands[3].text()));
    bool isWhole = mask.size() == 4 && (mask[0] == 1 || mask[0] == z->b) && (mask[1] == 1 || mask[1] == z->h) &&
                   mask[2] == z->s && mask[3] == z->t;
    if (!isWhole)
      return typeProblem("its mask is " + llvm::Twine(call.operands[3].text()) + " for q " + call.operands[0].text());
  }
  return Types{Type{own, {z->b, z->s, z->h, z->e}}, Type{statistics, {z->b, z->h, z->s, 2}}};
}

llvm::Expected<Types> inferAttentionGrad(const OpCall &call) {
  llvm::SmallVector<Type, 4> forward(call.operands.begin(), call.operands.begin() + 3);
  if (call.operands.size() > 6) forward.push_back(call.operands[6]);
  llvm::Expected<Types> results = inferAttention({forward, call.attributes, {}});
  if (!results) return results.takeError();
  if (llvm::Error error = checkShape(call, 3, "result", (*results)[0].shape)) return error;
  if (llvm::Error error = checkShape(call, 4, "row statistics", (*results)[1].shape)) return error;
  if (llvm::Error error = checkShape(call, 5, "arriving gradient", (*results)[0].shape)) return error;
  return Types{call.operands[0], call.operands[1], call.operands[2]};
}

/// The scores of attention for one query of one head: scaled and masked, with -inf for hidden keys.
struct Scores {
  Sizes z;
  double scale;
  bool isCausal, replaces;
  const Array &q, &k;
  const Array *mask;

  int64_t qAt(int64_t b, int64_t i, int64_t h) const { return ((b * z.s + i) * z.h + h) * z.d; }
  int64_t kAt(int64_t b, int64_t j, int64_t h) const { return ((b * z.t + j) * z.kv + h / z.group()) * z.d; }
  int64_t vAt(int64_t b, int64_t j, int64_t h) const { return ((b * z.t + j) * z.kv + h / z.group()) * z.e; }
  int64_t oAt(int64_t b, int64_t i, int64_t h) const { return ((b * z.s + i) * z.h + h) * z.e; }

  int64_t statisticsAt(int64_t b, int64_t i, int64_t h) const { return ((b * z.h + h) * z.s + i) * 2; }

  double at(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (isCausal && j > i + z.t - z.s) return -HUGE_VAL;
    double sum = 0;
    for (int64_t d = 0; d < z.d; ++d)
      sum += q.data[qAt(b, i, h) + d] * k.data[kAt(b, j, h) + d];
    return sum * scale + maskAt(b, h, i, j);
  }
  double maskAt(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (!mask) return 0;
    const Shape &m = mask->type.shape;
    return mask->data[(((m[0] == 1 ? 0 : b) * m[1] + (m[1] == 1 ? 0 : h)) * m[2] + (m[2] == 1 ? 0 : i)) * m[3] +
                      (m[3] == 1 ? 0 : j)];
  }
  /// Whether the mask takes the place of the score, which then has gradient 0.
  bool isReplaced(int64_t b, int64_t h, int64_t i, int64_t j) const {
    return replaces && maskAt(b, h, i, j) <= kReplacingMask;
  }
};

Scores scoresOf(const OpCall &call, llvm::ArrayRef<const Array *> in, size_t maskAt) {
  return {llvm::cantFail(sizesOf(call)),
          call.attributes.real("scale", 1),
          call.attributes.integer("causal") != 0,
          call.attributes.integer("replaces") != 0,
          *in[0],
          *in[1],
          in.size() > maskAt ? in[maskAt] : nullptr};
}

void evaluateAttention(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Scores scores = scoresOf(call, in, 3);
  const Sizes &z = scores.z;
  std::vector<double> p(z.t);
  for (int64_t b = 0; b < z.b; ++b)
    for (int64_t h = 0; h < z.h; ++h)
      for (int64_t i = 0; i < z.s; ++i) {
        double largest = -HUGE_VAL, sum = 0;
        for (int64_t j = 0; j < z.t; ++j)
          largest = std::max(largest, p[j] = scores.at(b, h, i, j));
        for (int64_t j = 0; j < z.t; ++j)
          sum += p[j] = std::isinf(largest) ? 0 : std::exp(p[j] - largest);
        for (int64_t j = 0; j < z.t && sum > 0; ++j)
          for (int64_t e = 0; e < z.e; ++e)
            out[0].data[scores.oAt(b, i, h) + e] += p[j] / sum * in[2]->data[scores.vAt(b, j, h) + e];
        out[1].data[scores.statisticsAt(b, i, h)] = largest;
        out[1].data[scores.statisticsAt(b, i, h) + 1] = sum > 0 ? std::log(sum) : 0;
      }
}

/// dS = P (dP - rowsum(dO O)) (Dao et al. 2022, section 3.1).
void evaluateAttentionGrad(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Scores scores = scoresOf(call, in, 6);
  const Sizes &z = scores.z;
  const Array &v = *in[2], &o = *in[3], &statistics = *in[4], &dO = *in[5];
  for (int64_t b = 0; b < z.b; ++b)
    for (int64_t h = 0; h < z.h; ++h)
      for (int64_t i = 0; i < z.s; ++i) {
        const double *row = &statistics.data[scores.statisticsAt(b, i, h)], largest = row[0], logarithm = row[1];
        double rowSum = 0;
        if (std::isinf(largest)) continue;
        int64_t oAt = scores.oAt(b, i, h), qAt = scores.qAt(b, i, h);
        for (int64_t e = 0; e < z.e; ++e)
          rowSum += dO.data[oAt + e] * o.data[oAt + e];
        for (int64_t j = 0; j < z.t; ++j) {
          double p = std::exp(scores.at(b, h, i, j) - largest - logarithm), dp = 0;
          int64_t kAt = scores.kAt(b, j, h), vAt = scores.vAt(b, j, h);
          for (int64_t e = 0; e < z.e; ++e) {
            dp += dO.data[oAt + e] * v.data[vAt + e];
            out[2].data[vAt + e] += p * dO.data[oAt + e];
          }
          double ds = scores.isReplaced(b, h, i, j) ? 0 : p * (dp - rowSum) * scores.scale;
          for (int64_t d = 0; d < z.d; ++d) {
            out[0].data[qAt + d] += ds * in[1]->data[kAt + d];
            out[1].data[kAt + d] += ds * in[0]->data[qAt + d];
          }
        }
      }
}

/// The gradient of a mask that is added to the scores: dS = P (dP - rowsum(dO O)) for all queries at once, summed over
/// the dimensions along which the mask was broadcast. If no mask is trained, these nodes are dead and removed.
class MaskGradient {
public:
  MaskGradient(Builder &b, const Node &node, ValueId dO) : builder_(b), node_(node), dO_(wide(dO)) {}

  ValueId build() {
    const Shape mask = shapeOf(node_.operands[3]);
    ValueId rows = builder_.make("reduce_sum", {builder_.make("mul", {dO_, wide(node_.results[0])})}, alongLast());
    ValueId slopes =
        builder_.make("sub", {product(dO_, wide(node_.operands[2])), builder_.transpose(rows, {0, 2, 1, 3})});
    return builder_.sumTo(builder_.make("mul", {probabilities(), slopes}), mask);
  }

private:
  Shape shapeOf(ValueId value) const { return builder_.graph.type(value).shape; }
  /// In the type of the mask, which is not small.
  ValueId wide(ValueId value) {
    Type type = builder_.graph.type(value);
    const DType own = builder_.graph.type(node_.operands[3]).dtype;
    if (type.dtype == own) return value;
    type.dtype = own;
    return builder_.makeTyped("cast", {value}, type);
  }
  ValueId number(double value) { return builder_.scalar(builder_.graph.type(dO_).dtype, value); }
  static Attributes alongLast() { return {{"axes", llvm::SmallVector<int64_t, 6>{3}}, {"keepdims", int64_t(1)}}; }

  /// Multiplies [b, s, h, n] by [b, t, kv, n], which gives [b, h, s, t]; each key head serves h / kv query heads.
  ValueId product(ValueId rows, ValueId keys) {
    const Shape x = shapeOf(rows), y = shapeOf(keys);
    const int64_t group = y[2] ? x[2] / y[2] : 0;
    ValueId left = builder_.transpose(builder_.reshape(rows, {x[0], x[1], y[2], group, x[3]}), {0, 2, 3, 1, 4}),
            right = builder_.reshape(builder_.transpose(keys, {0, 2, 3, 1}), {y[0], y[2], 1, y[3], y[1]});
    ValueId all = builder_.make("matmul", {left, right}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
    return builder_.reshape(all, {x[0], x[2], x[1], y[1]});
  }

  ValueId probabilities() {
    ValueId scores = builder_.make(
        "mul", {product(wide(node_.operands[0]), wide(node_.operands[1])), number(node_.attributes.real("scale", 1))});
    scores = builder_.make("add", {scores, node_.operands[3]});
    ValueId largest = builder_.slice(node_.results[1], 3, 0, 1), logarithm = builder_.slice(node_.results[1], 3, 1, 1);
    ValueId p = builder_.make("exp", {builder_.make("sub", {builder_.make("sub", {scores, largest}), logarithm})});
    p = builder_.make(
        "where", {builder_.make("equal", {scores, number(-HUGE_VAL)}), number(0), p}); // a row of -inf would give NaN
    if (!node_.attributes.integer("causal")) return p;
    const int64_t s = shapeOf(scores)[2], t = shapeOf(scores)[3];
    // Compared by nodes, not in a table of s x t: that would be made for every attention, and be dead where no mask is
    // trained.
    Array queries(Type{DType::I64, {s, 1}}), keys(Type{DType::I64, {1, t}});
    for (int64_t i = 0; i < s; ++i)
      queries.data[size_t(i)] = double(i + t - s);
    for (int64_t j = 0; j < t; ++j)
      keys.data[size_t(j)] = double(j);
    ValueId isSeen = builder_.make("less_equal", {builder_.graph.addConstant("keys", toTensor(keys)),
                                                  builder_.graph.addConstant("queries", toTensor(queries))});
    return builder_.make("where", {isSeen, p, number(0)});
  }

  Builder &builder_;
  const Node &node_;
  ValueId dO_;
};

void attentionGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  llvm::SmallVector<ValueId, 7> operands = {node.operands[0], node.operands[1], node.operands[2],
                                            node.results[0],  node.results[1],  d[0]};
  if (node.operands.size() > 3) operands.push_back(node.operands[3]);
  auto all = b.makeMany("attention_grad", operands, node.attributes);
  llvm::copy(all, o.begin());
  if (node.operands.size() > 3) o[3] = MaskGradient(b, node, d[0]).build();
}

double attentionFlops(const OpCall &call) {
  Sizes z = llvm::cantFail(sizesOf(call));
  return 2.0 * double(z.b * z.h * z.s) * double(z.t) * double(z.d + z.e);
}
double attentionGradFlops(const OpCall &call) { return 2.5 * attentionFlops(call); }

/// Marks the queries `s` as needed whole if attention is causal, since which keys a query sees depends on its place in
/// the whole sequence.
std::string withRows(std::string text, const OpCall &call) {
  if (call.attributes.integer("causal") == 0) return text;
  for (size_t at = 0; (at = text.find(" s", at)) != std::string::npos; at += 3)
    text.insert(at + 2, "!");
  return text;
}

IndexTerms attentionAxes(AxisArena &arena, const OpCall &call) {
  std::string text = "b s (kv g) d!, b t! kv d!, b t! kv e!";
  if (call.operands.size() > 3) text += ", b (kv g) s t!";
  return instantiateText(withRows(text + " -> b s (kv g) e!, b (kv g) s n!", call), arena, call.operands, call.results);
}

IndexTerms attentionGradAxes(AxisArena &arena, const OpCall &call) {
  std::string text = "b s (kv g) d!, b t! kv d!, b t! kv e!, b s (kv g) e!, b (kv g) s n!, b s (kv g) e!";
  if (call.operands.size() > 6) text += ", b (kv g) s t!";
  return instantiateText(withRows(text + " -> b s (kv g) d!, b t! kv d!, b t! kv e!", call), arena, call.operands,
                         call.results);
}

llvm::Expected<Types> inferRotary(const OpCall &call) {
  const Shape &x = call.operands[0].shape;
  if (x.size() != 4 || x[3] % 2)
    return typeProblem("it rotates [batch, sequence, heads, an even head dimension], not " +
                       llvm::Twine(call.operands[0].text()));
  DType statistics = call.operands[0].dtype == DType::F64 ? DType::F64 : DType::F32;
  for (const Type &table : call.operands.drop_front())
    if (table.dtype != statistics || table.shape != Shape{x[1], x[3] / 2})
      return typeProblem("its table is " + llvm::Twine(table.text()) + " for " + call.operands[0].text());
  return Types{call.operands[0]};
}

/// Rotates the two halves of the head dimension against each other (Su et al. 2021).
void evaluateRotary(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const Shape &x = in[0]->type.shape;
  int64_t half = x[3] / 2;
  double sign = call.attributes.integer("inverse") ? -1 : 1;
  for (int64_t row = 0; row < x[0] * x[1] * x[2]; ++row)
    for (int64_t f = 0; f < half; ++f) {
      int64_t table = row / x[2] % x[1] * half + f;
      double a = in[0]->data[row * x[3] + f], b = in[0]->data[row * x[3] + half + f];
      double cosine = in[1]->data[table], sine = sign * in[2]->data[table];
      out[0].data[row * x[3] + f] = a * cosine - b * sine;
      out[0].data[row * x[3] + half + f] = b * cosine + a * sine;
    }
}

void rotaryGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  o[0] = b.make("rotary", {d[0], node.operands[1], node.operands[2]},
                {{"inverse", int64_t(!node.attributes.integer("inverse"))}});
  // The gradients of the tables, d cos = dy1 x1 + dy2 x2 and d sin = dy2 x1 - dy1 x2, summed over samples and heads.
  // They are mostly dead and removed.
  const Type table = b.graph.type(node.operands[1]);
  auto half = [&](ValueId value, int64_t which) {
    Type type = b.graph.type(value);
    type.dtype = table.dtype;
    if (!(type == b.graph.type(value))) value = b.makeTyped("cast", {value}, type);
    return b.slice(value, 3, which * table.shape[1], table.shape[1]);
  };
  auto summed = [&](const char *join, ValueId first, ValueId second) {
    const llvm::SmallVector<int64_t, 6> axes = {0, 2};
    return b.make("reduce_sum", {b.make(join, {first, second})}, {{"axes", axes}, {"keepdims", int64_t(0)}});
  };
  ValueId x1 = half(node.operands[0], 0), x2 = half(node.operands[0], 1), d1 = half(d[0], 0), d2 = half(d[0], 1);
  o[1] = summed("add", b.make("mul", {d1, x1}), b.make("mul", {d2, x2}));
  ValueId plus = b.make("mul", {d2, x1}), minus = b.make("mul", {d1, x2});
  o[2] = node.attributes.integer("inverse") ? summed("sub", minus, plus) : summed("sub", plus, minus);
}

/// With given tables, a rotation is linear in the operand that it rotates.
const OpDef kOps[] = {
    {.name = "attention",
     .axisRule = attentionAxes,
     .infer = inferAttention,
     .evaluate = evaluateAttention,
     .gradient = attentionGradient,
     .flops = attentionFlops,
     .kernel = KernelId::Attention,
     .fullOperands = 0b1000,
     .fullResults = 0b10,
     .savedResults = 0b10},
    {.name = "attention_grad",
     .axisRule = attentionGradAxes,
     .linearIn = operand(5),
     .infer = inferAttentionGrad,
     .evaluate = evaluateAttentionGrad,
     .flops = attentionGradFlops,
     .kernel = KernelId::AttentionGrad,
     .fullOperands = 0b1010000},
    {.name = "rotary",
     .axes = "b s h d!, s f!, s f! -> b s h d!",
     .linearIn = operand(0),
     .infer = inferRotary,
     .evaluate = evaluateRotary,
     .gradient = rotaryGradient,
     .kernel = KernelId::Rotary,
     .fullOperands = 0b110},
};

} // namespace

llvm::ArrayRef<OpDef> attentionOps() { return kOps; }

} // namespace autotp

#include "passes/recognise/attention_mask.h"

#include "compiler/ops/families.h"
#include "runtime/plan/kernels/attention_workspace.h"

#include "llvm/ADT/DenseSet.h"

#include <cmath>

namespace autotp {
namespace {

/// A finite number that hides a key must vanish in the softmax, so it is at most kHides. If all keys of a row may be
/// hidden, adding it must also equal replacing the score by it: it is at most kAbsorbs, larger in size than any score
/// by more than the precision of a double.
constexpr double kHides = -1e4, kAbsorbs = kReplacingMask;

bool dependsOnParameter(const Graph &graph, ValueId value) {
  llvm::SmallVector<ValueId, 16> worklist = {value};
  llvm::DenseSet<ValueId> seen;
  while (!worklist.empty()) {
    ValueId at = worklist.pop_back_val();
    if (!seen.insert(at).second || !isFloat(graph.type(at).dtype)) continue;
    if (graph.value(at).kind == ValueKind::Parameter) return true;
    if (const Node *node = graph.producer(at)) llvm::append_range(worklist, node->operands);
  }
  return false;
}

/// The shape of a term among scores [b, h, s, t]: rank 4, with a merged dimension of batch and heads divided. Empty if
/// the term does not fit.
Shape alignedShape(const Shape &term, const Shape &scores) {
  Shape shape;
  if (term.size() == 3 && term[0] != 1)
    shape = term[0] == scores[0] * scores[1] ? Shape{scores[0], scores[1], term[1], term[2]}
                                             : Shape{1, term[0], term[1], term[2]};
  else if (term.size() <= 4)
    shape.append(4 - term.size(), 1), shape.append(term.begin(), term.end());
  else
    return {};
  for (unsigned d = 0; d < 4; ++d)
    if (shape[d] != 1 && shape[d] != scores[d]) return {};
  return shape;
}

const Tensor *constantOf(const Graph &graph, ValueId value) {
  const Value &at = graph.value(throughCasts(graph, value));
  return at.kind == ValueKind::Constant && at.contents ? &*at.contents : nullptr;
}

/// The sum of the constant terms, as f64 of the smallest shape that broadcasts to the scores; s and t are whole.
Array sumOf(const Graph &graph, llvm::ArrayRef<MaskTerm> terms, const Shape &scores) {
  Array sum(Type{DType::F64, {1, 1, scores[2], scores[3]}});
  for (const MaskTerm &term : terms)
    for (unsigned d : {0u, 1u})
      sum.type.shape[d] = std::max(sum.type.shape[d], alignedShape(graph.type(term.value).shape, scores)[d]);
  sum.data.assign(size_t(sum.type.elements()), 0.0);
  for (const MaskTerm &term : terms) {
    Array values = toArray(*constantOf(graph, term.value));
    Type aligned{values.type.dtype, alignedShape(values.type.shape, scores)};
    BroadcastWalk walk(sum.type.shape, {aligned});
    while (walk.next()) {
      double value = values.data[walk.offsets[0]];
      sum.data[walk.index] += !term.isCondition ? value : (value != 0) != term.isInverted ? term.fill : 0;
    }
  }
  return sum;
}

/// Reduces dimension `d` (0 or 1) to size 1 if the matrices along it are equal.
void shrink(Array &mask, unsigned d) {
  const Shape &shape = mask.type.shape;
  if (shape[d] == 1) return;
  int64_t inner = shape[2] * shape[3] * (d == 0 ? shape[1] : 1), outer = d == 0 ? 1 : shape[0];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = inner; i < shape[d] * inner; ++i)
      if (mask.data[o * shape[d] * inner + i] != mask.data[o * shape[d] * inner + i % inner]) return;
  Array less = mask;
  less.type.shape[d] = 1;
  less.data.resize(size_t(less.type.elements()));
  for (int64_t o = 0; o < outer; ++o)
    std::copy_n(mask.data.begin() + o * shape[d] * inner, inner, less.data.begin() + o * inner);
  mask = std::move(less);
}

/// Whether query i sees exactly the keys 0 .. i + (t - s). Numbers that hide a key are at most `hides`.
bool isCausal(const Array &mask, double hides) {
  const Shape &shape = mask.type.shape;
  if (shape[0] != 1 || shape[1] != 1 || shape[3] < shape[2]) return false;
  for (int64_t i = 0; i < shape[2]; ++i)
    for (int64_t j = 0; j < shape[3]; ++j) {
      double value = mask.data[i * shape[3] + j];
      if (j <= i + shape[3] - shape[2] ? value != 0 : !(value <= hides)) return false;
    }
  return true;
}

bool hasHiddenRow(const Array &mask) {
  int64_t width = mask.type.shape[3];
  for (size_t row = 0; row * width < mask.data.size(); ++row)
    if (llvm::all_of(llvm::ArrayRef<double>(mask.data).slice(row * width, width), [](double v) { return v <= kHides; }))
      return true;
  return false;
}

/// Whether keys are hidden only by numbers that replace scores. If a row mixes both kinds, replaced scores of a row
/// whose keys are all hidden get the gradient of added ones.
bool isReplacing(const Graph &graph, llvm::ArrayRef<MaskTerm> terms) {
  auto mayHide = [&](const MaskTerm &term) {
    const Tensor *known = term.isCondition ? nullptr : constantOf(graph, term.value);
    return !term.isCondition && (!known || llvm::any_of(toArray(*known).data, [](double v) { return v <= kHides; }));
  };
  return llvm::any_of(terms, [](const MaskTerm &term) { return term.isCondition && std::isfinite(term.fill); }) &&
         llvm::none_of(terms, mayHide);
}

ValueId build(Builder &b, const MaskTerm &term, const Type &scores) {
  ValueId value = b.reshape(term.value, alignedShape(b.graph.type(term.value).shape, scores.shape));
  if (term.isCondition) {
    ValueId fill = b.scalar(scores.dtype, term.fill), zero = b.scalar(scores.dtype, 0);
    value = b.make("where", {value, term.isInverted ? zero : fill, term.isInverted ? fill : zero});
  }
  Type whole = b.graph.type(value);
  whole.shape[2] = scores.shape[2], whole.shape[3] = scores.shape[3];
  return b.graph.type(value) == whole ? value : b.makeTyped("expand", {value}, whole);
}

} // namespace

std::optional<Mask> makeMask(Graph &graph, llvm::ArrayRef<MaskTerm> terms, const Type &scores, NodeId before) {
  llvm::SmallVector<MaskTerm, 4> constants, computed;
  for (const MaskTerm &term : terms) {
    if (alignedShape(graph.type(term.value).shape, scores.shape).empty() || dependsOnParameter(graph, term.value))
      return std::nullopt;
    bool isConstant = constantOf(graph, term.value);
    if (term.isCondition && !(term.fill <= (isConstant ? kHides : kAbsorbs))) return std::nullopt;
    (isConstant ? constants : computed).push_back(term);
  }
  Mask mask;
  Builder b(graph, before);
  b.origin = graph.node(before).origin;
  if (!constants.empty()) {
    Array sum = sumOf(graph, constants, scores.shape);
    shrink(sum, 0);
    shrink(sum, 1);
    auto isWeak = [](const MaskTerm &term) { return term.isCondition && term.fill > kAbsorbs; };
    if (llvm::any_of(constants, isWeak) && (hasHiddenRow(sum) || !computed.empty())) return std::nullopt;
    // If a computed mask may hide the keys that this one shows, the finite numbers of both compete, so only -inf counts
    // as causal.
    mask.isCausal = isCausal(sum, computed.empty() ? kHides : -HUGE_VAL);
    if (!mask.isCausal && llvm::any_of(sum.data, [](double v) { return v != 0; })) {
      sum.type.dtype = scores.dtype;
      mask.value = graph.addConstant("mask", toTensor(sum));
    }
  }
  for (const MaskTerm &term : computed) {
    ValueId value = build(b, term, scores);
    mask.value = mask.value == kNone ? value : b.make("add", {mask.value, value});
  }
  mask.replaces = mask.value != kNone && isReplacing(graph, terms);
  return mask;
}

} // namespace autotp

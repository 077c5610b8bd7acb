// compiler/ops/reduce.cpp: sums and maxima over dimensions. A mean is a sum times a constant, so no count depends on
// local shapes.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

bool isReduced(const OpCall &call, size_t dim) {
  return llvm::is_contained(call.attributes.integers("axes"), int64_t(dim));
}

llvm::Expected<Types> inferReduce(const OpCall &call) {
  Type type{call.operands[0].dtype, {}};
  for (int64_t axis : call.attributes.integers("axes"))
    if (axis < 0 || axis >= int64_t(call.operands[0].shape.size()))
      return typeProblem("it has no dimension " + llvm::Twine(axis));
  for (const auto &[d, size] : indexed(call.operands[0].shape)) {
    if (!isReduced(call, d))
      type.shape.push_back(size);
    else if (call.attributes.integer("keepdims"))
      type.shape.push_back(1);
  }
  return Types{type};
}

template <bool kMax>
void evaluateReduce(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (double &value : out[0].data)
    value = kMax ? -HUGE_VAL : 0;
  Type kept{DType::F64, {}};
  for (const auto &[d, size] : indexed(call.operands[0].shape))
    kept.shape.push_back(isReduced(call, d) ? 1 : size);
  BroadcastWalk walk(call.operands[0].shape, {kept});
  while (walk.next()) {
    double &at = out[0].data[walk.offsets[0]], value = in[0]->data[walk.index];
    at = kMax ? std::max(at, value) : at + value;
  }
}

Shape keptShape(const Graph &graph, NodeId id) {
  Shape shape = graph.type(graph.node(id).operands[0]).shape;
  for (int64_t axis : graph.node(id).attributes.integers("axes"))
    shape[axis] = 1;
  return shape;
}

llvm::SmallVector<int64_t, 6> axesOf(const Graph &graph, NodeId id) {
  llvm::ArrayRef<int64_t> axes = graph.node(id).attributes.integers("axes");
  return {axes.begin(), axes.end()};
}

void sumGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Type type = b.graph.type(b.graph.node(id).operands[0]);
  o[0] = b.makeTyped("expand", {b.reshape(d[0], keptShape(b.graph, id))}, type);
}

/// The elements that equal the maximum share the gradient evenly.
void maxGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  Shape kept = keptShape(b.graph, id);
  ValueId operand = b.graph.node(id).operands[0], result = b.graph.node(id).results[0];
  ValueId isMax = b.make("equal", {operand, b.reshape(result, kept)});
  const Type type = b.graph.type(operand);
  ValueId ones = b.makeTyped("cast", {isMax}, type);
  ValueId count = b.make("reduce_sum", {ones}, {{"axes", axesOf(b.graph, id)}, {"keepdims", int64_t(1)}});
  o[0] = b.make("where", {isMax, b.make("div", {b.reshape(d[0], kept), count}), b.scalar(type.dtype, 0)});
}

IndexTerms reduceAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms;
  terms.ins.resize(1);
  terms.outs.resize(1);
  terms.contracted.resize(1);
  bool keeps = call.attributes.integer("keepdims");
  for (const auto &[d, size] : indexed(call.operands[0].shape)) {
    AxisId axis = arena.leaf(size);
    terms.ins[0].push_back(axis);
    if (!isReduced(call, d)) {
      terms.outs[0].push_back(axis);
      continue;
    }
    if (keeps) terms.outs[0].push_back(kNoAxis);
    if (axis != kNoAxis) terms.contracted[0].push_back(axis);
  }
  return terms;
}

/// Only sums may be Partial, so a maximum over a sharded axis is reduced within the operator. A maximum of integers
/// needs the axis whole, since integers have no -inf for a rank that holds nothing.
IndexTerms reduceMaxAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = reduceAxes(arena, call);
  for (AxisId axis : terms.contracted[0])
    if (isFloat(call.operands[0].dtype))
      terms.within.push_back(axis);
    else
      terms.whole.push_back({axis, "a maximum of integers runs over it"});
  terms.contracted[0].clear();
  return terms;
}

constexpr FusedOp kMaxFormula[] = {
    {.op = "reduce_max",
     .operands = {0},
     .own = [](const OpCall &whole) { return whole.attributes; },
     .reduce = Reduction::Max},
};

void evaluateCumsum(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  int64_t n = call.operands[0].shape.back(), count = int64_t(in[0]->data.size());
  bool isReverse = call.attributes.integer("reverse");
  for (int64_t row = 0; row < count; row += n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      int64_t at = row + (isReverse ? n - 1 - i : i);
      out[0].data[at] = sum += in[0]->data[at];
    }
  }
}

llvm::Expected<Types> inferCumsum(const OpCall &call) {
  if (call.operands[0].shape.empty()) return typeProblem("its operand is a scalar");
  return inferSame(call);
}

void cumsumGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  o[0] = b.make("cumsum", {d[0]}, {{"reverse", int64_t(!b.graph.node(id).attributes.integer("reverse"))}});
}

double reduceFlops(const OpCall &call) { return double(call.operands[0].elements()); }

const OpDef kOps[] = {
    {.name = "cumsum",
     .axes = "... n! -> ... n!",
     .linearIn = kEveryOperand,
     .infer = inferCumsum,
     .evaluate = evaluateCumsum,
     .gradient = cumsumGradient,
     .flops = reduceFlops,
     .kernel = KernelId::CumSum,
     .precision = Precision::Full},
    {.name = "reduce_max",
     .axisRule = reduceMaxAxes,
     .infer = inferReduce,
     .evaluate = evaluateReduce<true>,
     .gradient = maxGradient,
     .flops = reduceFlops,
     .kernel = KernelId::ReduceMax,
     .precision = Precision::Full,
     .formula = kMaxFormula},
    {.name = "reduce_sum",
     .axisRule = reduceAxes,
     .linearIn = kEveryOperand,
     .infer = inferReduce,
     .evaluate = evaluateReduce<false>,
     .gradient = sumGradient,
     .flops = reduceFlops,
     .kernel = KernelId::ReduceSum,
     .precision = Precision::Full},
};

} // namespace

llvm::ArrayRef<OpDef> reduceOps() { return kOps; }

} // namespace autotp

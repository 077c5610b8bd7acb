// compiler/ops/movement.cpp: operators that move elements and compute nothing.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

llvm::Expected<Types> inferReshape(const OpCall &call) {
  if (call.results.empty()) return typeProblem("its result type must be stated");
  if (call.results[0].dtype != call.operands[0].dtype || call.results[0].elements() != call.operands[0].elements())
    return typeProblem("it cannot give " + llvm::Twine(call.operands[0].text()) + " the shape of " +
                       call.results[0].text());
  return Types{call.results[0]};
}

llvm::Expected<Types> inferExpand(const OpCall &call) {
  if (call.results.empty()) return typeProblem("its result type must be stated");
  llvm::Expected<Shape> shape = broadcastShapes(call.operands[0].shape, call.results[0].shape);
  if (!shape) return shape.takeError();
  if (*shape != call.results[0].shape || call.results[0].dtype != call.operands[0].dtype)
    return typeProblem("it cannot broadcast " + llvm::Twine(call.operands[0].text()) + " to " + call.results[0].text());
  return Types{call.results[0]};
}

llvm::Expected<Types> inferTranspose(const OpCall &call) {
  llvm::ArrayRef<int64_t> perm = call.attributes.integers("perm");
  Type type{call.operands[0].dtype, {}};
  llvm::SmallVector<bool, 6> isTaken(call.operands[0].shape.size(), false);
  if (perm.size() != isTaken.size()) return typeProblem("its permutation has another rank than its operand");
  for (int64_t p : perm) {
    if (p < 0 || p >= int64_t(perm.size()) || isTaken[p])
      return typeProblem("its permutation takes no dimension twice and none out of range");
    isTaken[p] = true;
    type.shape.push_back(call.operands[0].shape[p]);
  }
  return Types{type};
}

llvm::Expected<Types> inferSlice(const OpCall &call) {
  const Attributes &a = call.attributes;
  int64_t axis = a.integer("axis"), start = a.integer("start"), length = a.integer("length"),
          step = a.integer("step", 1);
  Type type = call.operands[0];
  if (axis < 0 || axis >= int64_t(type.shape.size())) return typeProblem("it has no dimension " + llvm::Twine(axis));
  if (start < 0 || length < 0 || step < 1 || (length > 0 && start + (length - 1) * step >= type.shape[axis]))
    return typeProblem("it takes elements outside dimension " + llvm::Twine(axis));
  type.shape[axis] = length;
  return Types{type};
}

llvm::Expected<Types> inferConcat(const OpCall &call) {
  int64_t axis = call.attributes.integer("axis");
  if (call.operands.empty()) return typeProblem("it has no operand");
  Type type = call.operands[0];
  if (axis < 0 || axis >= int64_t(type.shape.size())) return typeProblem("it has no dimension " + llvm::Twine(axis));
  for (const Type &operand : call.operands.drop_front()) {
    Shape expected = type.shape;
    if (operand.shape.size() != expected.size()) return typeProblem("its operands differ in rank");
    expected[axis] = operand.shape[axis];
    if (expected != operand.shape || operand.dtype != type.dtype)
      return typeProblem("its operands are " + llvm::Twine(type.text()) + " and " + operand.text());
    type.shape[axis] += operand.shape[axis];
  }
  return Types{type};
}

void evaluateCopy(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  out[0].data = in[0]->data;
}

void evaluateExpand(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  BroadcastWalk walk(out[0].type.shape, call.operands);
  while (walk.next())
    out[0].data[walk.index] = in[0]->data[walk.offsets[0]];
}

void evaluateTranspose(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Shape from = stridesOf(in[0]->type.shape), to = stridesOf(out[0].type.shape);
  llvm::ArrayRef<int64_t> perm = call.attributes.integers("perm");
  for (int64_t i = 0; i < int64_t(out[0].data.size()); ++i) {
    int64_t rest = i, source = 0;
    for (size_t d = 0; d < perm.size(); ++d) {
      source += rest / to[d] * from[perm[d]];
      rest %= to[d];
    }
    out[0].data[i] = in[0]->data[source];
  }
}

int64_t productOf(llvm::ArrayRef<int64_t> dims) { return elementsOf(dims); }

void evaluateSlice(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const Shape &shape = in[0]->type.shape;
  int64_t axis = call.attributes.integer("axis"), start = call.attributes.integer("start"),
          step = call.attributes.integer("step", 1);
  int64_t outer = productOf(llvm::ArrayRef<int64_t>(shape).take_front(axis)),
          inner = productOf(llvm::ArrayRef<int64_t>(shape).drop_front(axis + 1));
  int64_t length = out[0].type.shape[axis];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < length; ++i)
      for (int64_t e = 0; e < inner; ++e)
        out[0].data[(o * length + i) * inner + e] = in[0]->data[(o * shape[axis] + start + i * step) * inner + e];
}

void evaluateConcat(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const Shape &shape = out[0].type.shape;
  int64_t axis = call.attributes.integer("axis"), at = 0;
  int64_t outer = productOf(llvm::ArrayRef<int64_t>(shape).take_front(axis)),
          inner = productOf(llvm::ArrayRef<int64_t>(shape).drop_front(axis + 1));
  for (const Array *operand : in) {
    int64_t length = operand->type.shape[axis];
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t e = 0; e < length * inner; ++e)
        out[0].data[(o * shape[axis] + at) * inner + e] = operand->data[o * length * inner + e];
    at += length;
  }
}

void evaluateFull(const OpCall &call, llvm::ArrayRef<const Array *>, llvm::MutableArrayRef<Array> out) {
  for (double &value : out[0].data)
    value = call.attributes.real("value");
}

void reshapeGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  o[0] = b.reshape(d[0], b.graph.type(b.graph.node(id).operands[0]).shape);
}

void expandGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Shape shape = b.graph.type(b.graph.node(id).operands[0]).shape;
  o[0] = b.sumTo(d[0], shape);
}

void transposeGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  llvm::ArrayRef<int64_t> given = b.graph.node(id).attributes.integers("perm");
  llvm::SmallVector<int64_t, 6> perm(given.begin(), given.end()), inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    inverse[perm[i]] = int64_t(i);
  o[0] = b.transpose(d[0], inverse);
}

/// Puts `step` - 1 zeros behind each element along `axis`.
ValueId spacedOut(Builder &b, ValueId x, int64_t axis, int64_t step) {
  Type apart = b.graph.type(x);
  Shape flat = apart.shape;
  flat[axis] *= step;
  apart.shape.insert(apart.shape.begin() + axis + 1, 1);
  Type gap = apart;
  gap.shape[axis + 1] = step - 1;
  ValueId parts = b.make("concat", {b.reshape(x, apart.shape), b.full(gap, 0)}, {{"axis", axis + 1}});
  return b.reshape(parts, flat);
}

/// The gradient of a slice: zeros around the incoming gradient, and between its elements if the slice has a step. Fewer
/// zeros than step - 1 may follow the last element, so that element is a part of its own, and each part is a box.
void sliceGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  Attributes attributes = b.graph.node(id).attributes;
  int64_t axis = attributes.integer("axis"), start = attributes.integer("start"), step = attributes.integer("step", 1);
  const Type whole = b.graph.type(b.graph.node(id).operands[0]);
  const int64_t size = whole.shape[axis], length = b.graph.type(d[0]).shape[axis];
  llvm::SmallVector<ValueId, 4> parts;
  int64_t filled = 0;
  auto add = [&](ValueId part) {
    filled += b.graph.type(part).shape[axis];
    parts.push_back(part);
  };
  auto addZeros = [&](int64_t count) {
    Type zeros = whole;
    zeros.shape[axis] = count;
    if (count > 0) add(b.full(zeros, 0));
  };
  addZeros(start);
  if (step == 1 || length == 0) {
    add(d[0]);
  } else if (start + length * step <= size) {
    add(spacedOut(b, d[0], axis, step));
  } else {
    if (length > 1) add(spacedOut(b, b.slice(d[0], axis, 0, length - 1), axis, step));
    add(length > 1 ? b.slice(d[0], axis, length - 1, 1) : d[0]);
  }
  addZeros(size - filled);
  o[0] = parts.size() == 1 ? parts[0] : b.make("concat", parts, {{"axis", axis}});
}

void concatGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  int64_t axis = b.graph.node(id).attributes.integer("axis"), at = 0;
  for (size_t k = 0; k < o.size(); ++k) {
    const Type type = b.graph.type(b.graph.node(id).operands[k]);
    if (isFloat(type.dtype)) o[k] = b.slice(d[0], axis, at, type.shape[axis]);
    at += type.shape[axis];
  }
}

// Axis rules. A dimension of size 1 has no axis.
IndexTerms reshapeAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(1);
  ReshapeTerms refined = refineReshape(arena, call.operands[0].shape, call.results[0].shape);
  terms.ins[0].assign(refined.from.begin(), refined.from.end());
  terms.outs[0].assign(refined.to.begin(), refined.to.end());
  for (AxisId axis : refined.whole)
    terms.whole.push_back({axis, "a reshape mixes it with others"});
  return terms;
}

IndexTerms expandAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(1);
  const Shape &from = call.operands[0].shape, &to = call.results[0].shape;
  for (int64_t size : to)
    terms.outs[0].push_back(arena.leaf(size));
  for (size_t d = 0; d < from.size(); ++d)
    terms.ins[0].push_back(from[d] == 1 ? kNoAxis : terms.outs[0][to.size() - from.size() + d]);
  return terms;
}

IndexTerms transposeAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(1);
  terms.ins[0] = freshAxes(arena, call.operands[0].shape);
  for (int64_t p : call.attributes.integers("perm"))
    terms.outs[0].push_back(terms.ins[0][p]);
  return terms;
}

/// With step 1, the dimension is a concat of what lies before, inside and behind the slice. With a step that divides
/// it, it is a product of which the slice takes one element. Any other step needs it whole.
IndexTerms sliceAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(1);
  int64_t axis = call.attributes.integer("axis"), start = call.attributes.integer("start"),
          step = call.attributes.integer("step", 1);
  terms.ins[0] = terms.outs[0] = freshAxes(arena, call.operands[0].shape);
  terms.cutDim = int(axis);
  int64_t size = call.operands[0].shape[axis], length = call.results[0].shape[axis];
  if (step == 1) {
    llvm::SmallVector<AxisId, 3> segments;
    if (start > 0) segments.push_back(arena.segment(start));
    AxisId kept = arena.segment(length);
    segments.push_back(kept);
    if (start + length < size) segments.push_back(arena.segment(size - start - length));
    terms.ins[0][axis] = size == 1 ? kNoAxis : arena.concat(segments);
    terms.outs[0][axis] = length == 1 ? kNoAxis : kept;
  } else if (size == length * step && start < step) {
    AxisId kept = arena.leaf(length), within = arena.leaf(step);
    terms.ins[0][axis] = arena.product({kept, within});
    terms.outs[0][axis] = kept;
    terms.whole.push_back({within, "a slice steps over it"});
  } else {
    terms.outs[0][axis] = arena.leaf(length);
    for (AxisId axisOfOne : {terms.ins[0][axis], terms.outs[0][axis]})
      if (axisOfOne != kNoAxis) terms.whole.push_back({axisOfOne, "a slice steps over it"});
  }
  return terms;
}

IndexTerms concatAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(call.operands.size());
  int64_t axis = call.attributes.integer("axis");
  llvm::SmallVector<AxisId, 6> shared = freshAxes(arena, call.operands[0].shape);
  llvm::SmallVector<AxisId, 4> segments;
  terms.cutDim = int(axis);
  for (const auto &[k, operand] : indexed(call.operands)) {
    AxisId segment = operand.shape[axis] == 0 ? kNoAxis : arena.segment(operand.shape[axis]);
    if (segment != kNoAxis) segments.push_back(segment);
    terms.ins[k] = shared;
    terms.ins[k][axis] = operand.shape[axis] == 1 ? kNoAxis : segment;
  }
  terms.outs[0] = shared;
  terms.outs[0][axis] = call.results[0].shape[axis] == 1 ? kNoAxis : arena.concat(segments);
  return terms;
}

IndexTerms fullAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = emptyTerms(0);
  terms.outs[0] = freshAxes(arena, call.results[0].shape);
  return terms;
}

double noFlops(const OpCall &) { return 0; }

/// Whether dimensions before `axis` are all of size 1, so that what an index of it has lies side by side.
bool isOutermost(llvm::ArrayRef<int64_t> shape, int64_t axis) {
  return elementsOf(shape.take_front(size_t(axis))) == 1;
}

/// What comes before the slice of the whole is shorter on a part.
void sliceOfPart(Attributes &attributes, HeldBefore heldBefore, const Type &result) {
  const auto axis = size_t(attributes.integer("axis"));
  if (attributes.integer("step", 1) == 1) attributes.set("start", heldBefore(axis, attributes.integer("start")));
  attributes.set("length", result.shape[axis]);
}

std::optional<uint64_t> sliceAt(const OpCall &call, unsigned) {
  const Type &from = call.operands[0];
  const int64_t axis = call.attributes.integer("axis");
  if (call.attributes.integer("step", 1) != 1 || !isOutermost(from.shape, axis)) return std::nullopt;
  const int64_t inner = elementsOf(llvm::ArrayRef<int64_t>(from.shape).drop_front(size_t(axis) + 1));
  return uint64_t(call.attributes.integer("start") * inner) * sizeOf(from.dtype);
}

std::optional<uint64_t> concatAt(const OpCall &call, unsigned operand) {
  if (!isOutermost(call.results[0].shape, call.attributes.integer("axis"))) return std::nullopt;
  uint64_t at = 0;
  for (const Type &before : call.operands.take_front(operand))
    at += before.bytes();
  return at;
}

const OpDef kOps[] = {
    {.name = "concat",
     .axisRule = concatAxes,
     .linearIn = kEveryOperand,
     .isAdditive = true,
     .infer = inferConcat,
     .evaluate = evaluateConcat,
     .gradient = concatGradient,
     .flops = noFlops,
     .kernel = KernelId::Concat,
     .sharing = Sharing::OperandsInResult,
     .sharedAt = concatAt},
    {.name = "expand",
     .axisRule = expandAxes,
     .linearIn = kEveryOperand,
     .infer = inferExpand,
     .evaluate = evaluateExpand,
     .gradient = expandGradient,
     .flops = noFlops,
     .kernel = KernelId::Expand},
    {.name = "full",
     .axisRule = fullAxes,
     .infer = inferStated,
     .evaluate = evaluateFull,
     .flops = noFlops,
     .kernel = KernelId::Full},
    {.name = "reshape",
     .axisRule = reshapeAxes,
     .linearIn = kEveryOperand,
     .infer = inferReshape,
     .evaluate = evaluateCopy,
     .gradient = reshapeGradient,
     .flops = noFlops,
     .operands = {1, 1},
     .sharing = Sharing::ResultInOperand},
    {.name = "slice",
     .axisRule = sliceAxes,
     .linearIn = kEveryOperand,
     .infer = inferSlice,
     .evaluate = evaluateSlice,
     .gradient = sliceGradient,
     .flops = noFlops,
     .kernel = KernelId::Slice,
     .sharing = Sharing::ResultInOperand,
     .onPart = sliceOfPart,
     .sharedAt = sliceAt},
    {.name = "transpose",
     .axisRule = transposeAxes,
     .linearIn = kEveryOperand,
     .infer = inferTranspose,
     .evaluate = evaluateTranspose,
     .gradient = transposeGradient,
     .flops = noFlops,
     .kernel = KernelId::Transpose},
};

} // namespace

llvm::ArrayRef<OpDef> movementOps() { return kOps; }

} // namespace autotp

// compiler/onnx/composed.cpp: operators that are short formulas of ours. Operators that the standard defines as
// functions need no row (functions.h).
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

#include <numeric>

namespace autotp {

llvm::SmallVector<int64_t, 6> countingUp(size_t count) {
  llvm::SmallVector<int64_t, 6> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

llvm::SmallVector<int64_t, 6> lastSwapped(size_t rank, int64_t axis) {
  llvm::SmallVector<int64_t, 6> perm = countingUp(rank);
  std::swap(perm[axis], perm.back());
  return perm;
}

ValueId logSoftmax(Formula &f, ValueId x) { return f("log_softmax", {x}); }

namespace {

// A function of two pieces has PyTorch's gradient where they meet: that of the piece to which the comparison, or the
// order of operands of a max or min without {shares}, assigns the point.

ValueId above(Formula &f, ValueId x, double bound) { return f("greater", {x, f.constant(x, bound)}); }
ValueId below(Formula &f, ValueId x, double bound) { return f("less", {x, f.constant(x, bound)}); }
ValueId scaled(Formula &f, ValueId x, double factor) { return factor == 1 ? x : f("mul", {x, f.constant(x, factor)}); }

llvm::Error importLeakyRelu(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0];
  return f.finish(f("where", {above(f, x, 0), x, scaled(f, x, node.real("alpha", 0.01))}));
}

llvm::Error importPRelu(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0];
  return f.finish(f("where", {above(f, x, 0), x, f("mul", {node[1], x})}));
}

/// alpha * (exp(x) - 1) for x <= 0, else x. The exponent is bounded, since the branch that `where` drops must not
/// overflow in the gradient.
ValueId elu(Formula &f, ValueId x, double alpha) {
  ValueId raised = f("exp", {f("min", {x, f.constant(x, 0)})});
  return f("where", {above(f, x, 0), x, scaled(f, f("sub", {raised, f.constant(x, 1)}), alpha)});
}
llvm::Error importElu(NodeImport &node) {
  Formula f(node);
  return f.finish(elu(f, node[0], node.real("alpha", 1)));
}
/// Self-normalising exponential units (Klambauer et al. 2017).
llvm::Error importSelu(NodeImport &node) {
  Formula f(node);
  const double alpha = node.real("alpha", 1.67326319217681884765625),
               gamma = node.real("gamma", 1.05070102214813232421875);
  return f.finish(scaled(f, elu(f, node[0], alpha), gamma));
}
llvm::Error importThresholdedRelu(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0];
  return f.finish(f("where", {above(f, x, node.real("alpha", 1)), x, f.constant(x, 0)}));
}
llvm::Error importShrink(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0];
  const double bias = node.real("bias", 0), bound = node.real("lambd", 0.5);
  ValueId right = f("where", {above(f, x, bound), f("sub", {x, f.constant(x, bias)}), f.constant(x, 0)});
  return f.finish(f("where", {below(f, x, -bound), f("add", {x, f.constant(x, bias)}), right}));
}
llvm::Error importSoftsign(NodeImport &node) {
  Formula f(node);
  return f.finish(f("div", {node[0], f("add", {f("abs", {node[0]}), f.constant(node[0], 1)})}));
}

/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)). At 0, max shares its gradient, so the gradient is 1/2.
ValueId softplus(Formula &f, ValueId x) {
  ValueId small = f("exp", {f("neg", {f("abs", {x})})});
  ValueId right = f("max", {x, f.constant(x, 0)}, {{"shares", int64_t(1)}});
  return f("add", {right, f("log", {f("add", {small, f.constant(x, 1)})})});
}
llvm::Error importSoftplus(NodeImport &node) {
  Formula f(node);
  return f.finish(softplus(f, node[0]));
}
llvm::Error importMish(NodeImport &node) {
  Formula f(node);
  return f.finish(f("mul", {node[0], f("tanh", {softplus(f, node[0])})}));
}

ValueId hardSigmoid(Formula &f, ValueId x, double alpha, double beta) {
  ValueId line = f("add", {f("mul", {x, f.constant(x, alpha)}), f.constant(x, beta)});
  return f("min", {f.constant(x, 1), f("max", {f.constant(x, 0), line})}); // with gradient 0 at the bounds
}
llvm::Error importHardSigmoid(NodeImport &node) {
  Formula f(node);
  return f.finish(hardSigmoid(f, node[0], node.real("alpha", 0.2), node.real("beta", 0.5)));
}
llvm::Error importHardSwish(NodeImport &node) {
  Formula f(node);
  return f.finish(f("mul", {node[0], hardSigmoid(f, node[0], 1.0 / 6, 0.5)}));
}

llvm::Error importCeil(NodeImport &node) {
  Formula f(node);
  return f.finish(f("neg", {f("floor", {f("neg", {node[0]})})}));
}
llvm::Error importXor(NodeImport &node) {
  Formula f(node);
  return f.finish(f("not", {f("equal", {node[0], node[1]})}));
}

/// Bounds that are single constants get PyTorch's gradient 0 at the bound (torch.clamp, hardtanh, relu6); other bounds
/// share it with x.
llvm::Error importClip(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0];
  for (size_t k : {1u, 2u}) {
    if (!node.has(k)) continue;
    const bool isNumber = node.type(k).elements() == 1 && node.constant(node[k]);
    const bool shares = isFloat(node.type(0).dtype) && !isNumber;
    x = f(k == 1 ? "max" : "min", {node[k], x}, shares ? Attributes{{"shares", int64_t(1)}} : Attributes());
  }
  return f.finish(x);
}

llvm::Error importMean(NodeImport &node) {
  Formula f(node);
  ValueId sum = node[0];
  for (ValueId next : node.operands().drop_front())
    sum = f("add", {sum, next});
  return f.finish(f("mul", {sum, f.constant(sum, 1.0 / double(node.numOperands()))}));
}

llvm::Error importCastLike(NodeImport &node) {
  Formula f(node);
  return f.finish(f.cast(node[0], node.type(1).dtype));
}

llvm::Error importLogSoftmax(NodeImport &node) {
  size_t rank = node.type(0).shape.size();
  auto axis = node.axis(node.integer("axis", -1), rank);
  if (!axis) return axis.takeError();
  Formula f(node);
  auto perm = lastSwapped(rank, *axis);
  return f.finish(f.transpose(logSoftmax(f, f.transpose(node[0], perm)), perm));
}

/// Repeats by making each dimension (repeats, size) and merging it.
llvm::Error importTile(NodeImport &node) {
  auto repeats = node.constantIntegers(1);
  if (!repeats) return repeats.takeError();
  const Shape from = node.type(0).shape;
  if (repeats->size() != from.size()) return node.fail("its repeats do not fit its operand");
  Shape apart, spread, merged;
  for (auto [d, count] : indexed(*repeats)) {
    if (count < 0 || (count && from[d] > kMostElements / count)) return node.fail("its result is too large");
    apart.append({1, from[d]});
    spread.append({count, from[d]});
    merged.push_back(count * from[d]);
  }
  Formula f(node);
  return f.finish(f.reshape(f.expand(f.reshape(node[0], apart), spread), merged));
}

/// Keeps a triangle of the last two dimensions.
llvm::Error importTrilu(NodeImport &node) {
  auto shift = node.constantIntegersOr(1, {0});
  if (!shift) return shift.takeError();
  const Shape shape = node.type(0).shape;
  if (shape.size() < 2 || shift->size() != 1) return node.fail("it needs a matrix and one diagonal");
  if (llvm::Error error = node.mustHold(shape)) return error;
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  Array kept(Type{DType::Bool, {rows, columns}});
  bool isUpper = node.integer("upper", 1);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      kept.data[i * columns + j] = isUpper ? j - i >= (*shift)[0] : j - i <= (*shift)[0];
  Formula f(node);
  return f.finish(f("where", {node.constantOf(toTensor(kept)), node[0], f.constant(node[0], 0)}));
}

/// The on value where the index equals the position, the off value elsewhere.
llvm::Error importOneHot(NodeImport &node) {
  const Tensor *given = node.constant(node[1]);
  if (!given || given->type.elements() != 1) return node.fail("its depth must be known when compiling");
  const int64_t depth = int64_t(std::clamp(toArray(*given).data[0], 0.0, double(kMostElements)));
  const size_t rank = node.type(0).shape.size() + 1;
  auto axis = node.axis(node.integer("axis", -1), rank);
  if (!axis) return axis.takeError();
  if (depth < 1) return node.fail("its depth is out of range");
  if (llvm::Error error = node.mustHold({depth})) return error;
  Formula f(node);
  Shape apart = node.type(0).shape, places(rank, 1);
  apart.insert(apart.begin() + *axis, 1);
  places[*axis] = depth;
  ValueId ids = f.cast(f.reshape(node[0], apart), DType::I64), zero = f.constant(ids, 0);
  ids = f("where", {f("less", {ids, zero}), f("add", {ids, f.constant(ids, double(depth))}), ids});
  ValueId off = f.slice(node[2], 0, 0, 1), on = f.slice(node[2], 0, 1, 1);
  return f.finish(f("where", {f("equal", {ids, node.constantOf(countingTensor(places))}), on, off}));
}

/// Sums of all elements up to each one. Our cumsum works on the last dimension, so others are exchanged with it.
llvm::Error importCumSum(NodeImport &node) {
  auto axis = node.axisOperand(1);
  if (!axis) return axis.takeError();
  Formula f(node);
  auto perm = lastSwapped(node.type(0).shape.size(), *axis);
  ValueId x = f.transpose(node[0], perm);
  ValueId sums = f("cumsum", {x}, {{"reverse", node.integer("reverse", 0)}});
  if (node.integer("exclusive", 0)) sums = f("sub", {sums, x});
  return f.finish(f.transpose(sums, perm));
}

llvm::Error importTopK(NodeImport &node) {
  auto count = node.constantIntegers(1);
  if (!count) return count.takeError();
  const size_t rank = node.type(0).shape.size();
  auto axis = node.axis(node.integer("axis", -1), rank);
  if (!axis) return axis.takeError();
  if (count->size() != 1) return node.fail("it needs one number of elements");
  Formula f(node);
  auto perm = lastSwapped(rank, *axis);
  bool isLargest = node.integer("largest", 1);
  ValueId x = f.transpose(node[0], perm);
  if (!isLargest) x = f("neg", {x});
  if (f.isBroken(x)) return f.finish(kNone);
  auto both = node.makeMany("top_k", {x}, {{"k", (*count)[0]}});
  if (!both) return both.takeError();
  ValueId values = isLargest ? (*both)[0] : f("neg", {(*both)[0]});
  node.results.push_back(f.transpose(values, perm));
  return f.finish(f.transpose((*both)[1], perm));
}

llvm::Error importSize(NodeImport &node) {
  return node.result(node.scalar(DType::I64, double(node.type(0).elements())));
}

const ImportDef kImports[] = {
    {"", "CastLike", 2, importCastLike},
    {"", "Ceil", 1, importCeil},
    {"", "Clip", 1, importClip},
    {"", "CumSum", 2, importCumSum},
    {"", "Elu", 1, importElu},
    {"", "HardSigmoid", 1, importHardSigmoid},
    {"", "HardSwish", 1, importHardSwish},
    {"", "LeakyRelu", 1, importLeakyRelu},
    {"", "LogSoftmax", 1, importLogSoftmax},
    {"", "Mean", 1, importMean},
    {"", "Mish", 1, importMish},
    {"", "OneHot", 3, importOneHot, 0, "its depth must be known when compiling"},
    {"", "PRelu", 2, importPRelu},
    {"", "Selu", 1, importSelu},
    {"", "Shrink", 1, importShrink},
    {"", "Size", 1, importSize},
    {"", "Softplus", 1, importSoftplus},
    {"", "Softsign", 1, importSoftsign},
    {"", "ThresholdedRelu", 1, importThresholdedRelu},
    {"", "Tile", 2, importTile},
    {"", "TopK", 2, importTopK, 0, "its number must be known when compiling"},
    {"", "Trilu", 1, importTrilu},
    {"", "Xor", 2, importXor},
};

} // namespace

llvm::ArrayRef<ImportDef> composedImports() { return kImports; }

} // namespace autotp

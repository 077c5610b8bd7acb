// compiler/onnx/arithmetic.cpp: rounding, remainders, products along dimensions, and bits of constants.
#include "compiler/onnx/formula.h"
#include "compiler/ops/families.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

ValueId isEqual(Formula &f, ValueId x, double value) { return f("equal", {x, f.constant(x, value)}); }
ValueId plus(Formula &f, ValueId x, double value) { return f("add", {x, f.constant(x, value)}); }
ValueId times(Formula &f, ValueId x, double value) { return f("mul", {x, f.constant(x, value)}); }

/// Rounds to the nearest integer, and half-way cases to the even one. Every step is exact.
llvm::Error importRound(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0], low = f("floor", {x}), rest = f("sub", {x, low});
  ValueId isOdd = f("not", {isEqual(f, f("sub", {low, times(f, f("floor", {times(f, low, 0.5)}), 2)}), 0)});
  ValueId isUp = f("or", {f("greater", {rest, f.constant(x, 0.5)}), f("and", {isEqual(f, rest, 0.5), isOdd})});
  return f.finish(f("where", {isUp, plus(f, low, 1), low}));
}

llvm::Error importIsInf(NodeImport &node) {
  Formula f(node);
  ValueId result = node.scalar(DType::Bool, 0);
  for (auto [name, value] : {std::pair("detect_positive", HUGE_VAL), {"detect_negative", -HUGE_VAL}})
    if (node.integer(name, 1)) result = f("or", {result, isEqual(f, node[0], value)});
  return f.finish(f.expand(result, node.type(0).shape));
}

/// a - b trunc(a / b); without fmod, b is added if the sign differs from that of b. Floats are computed in f64, in
/// which a / b and its product with b are exact enough to fall on the right side. The result is NaN if b is 0 or a is
/// infinite, computed so that no NaN enters the gradient of other elements.
llvm::Error importMod(NodeImport &node) {
  const DType dtype = node.type(0).dtype;
  if (node.type(1).dtype != dtype) return node.fail("its operands differ in type");
  Formula f(node);
  const DType wide = isFloat(dtype) ? DType::F64 : dtype;
  ValueId a = f.cast(node[0], wide), b = f.cast(node[1], wide), zero = f.constant(a, 0);
  ValueId isNone = kNone;
  if (isFloat(dtype)) {
    isNone = f("or", {f("or", {isEqual(f, b, 0), f("is_nan", {b})}), f("is_nan", {f("sub", {a, a})})});
    a = f("where", {isNone, zero, a});
    b = f("where", {isNone, f.constant(b, 1), b});
  }
  ValueId quotient = f("div", {a, b}); // division of integers truncates
  if (isFloat(dtype))
    quotient = f("where",
                 {f("less", {quotient, zero}), f("neg", {f("floor", {f("neg", {quotient})})}), f("floor", {quotient})});
  ValueId rest = f("sub", {a, f("mul", {quotient, b})});
  if (isFloat(dtype)) rest = f("where", {isEqual(f, quotient, 0), a, rest}); // b may be infinite
  if (!node.integer("fmod", 0)) rest = f("where", {f("less", {f("mul", {rest, b}), zero}), f("add", {rest, b}), rest});
  if (isFloat(dtype)) rest = f("where", {isNone, f.constant(rest, std::nan("")), rest});
  return f.finish(f.cast(rest, dtype));
}

/// The product along a dimension, which is kept with size 1. It multiplies halves repeatedly, so that the gradient of
/// each element is the product of the others, even if an element is 0.
ValueId productAlong(Formula &f, NodeImport &node, ValueId x, int64_t axis) {
  Type none = f.typeOf(x);
  if (f.isBroken(x)) return kNone;
  none.shape[axis] = 1;
  if (f.typeOf(x).shape[axis] == 0) return f.taken(node.filled(none, 1));
  while (!f.isBroken(x) && f.typeOf(x).shape[axis] > 1) {
    const int64_t size = f.typeOf(x).shape[axis], half = size / 2;
    ValueId product = f("mul", {f.slice(x, axis, 0, half), f.slice(x, axis, half, half)});
    x = size % 2 ? f("concat", {product, f.slice(x, axis, size - 1, 1)}, {{"axis", axis}}) : product;
  }
  return x;
}

llvm::Error importReduceProd(NodeImport &node) {
  auto axes = reducedAxes(node);
  if (!axes) return axes.takeError();
  Formula f(node);
  ValueId x = node[0];
  for (int64_t axis : *axes)
    x = productAlong(f, node, x, axis);
  Shape kept;
  for (auto [d, size] : indexed(node.type(0).shape))
    if (const bool isReduced = llvm::is_contained(*axes, int64_t(d)); !isReduced || node.integer("keepdims", 1))
      kept.push_back(isReduced ? 1 : size);
  return f.finish(f.reshape(x, kept));
}

/// x shifted by `steps` towards the end of its last dimension (or the beginning, if `isReverse`), with ones moving in.
llvm::Expected<ValueId> shifted(NodeImport &node, ValueId x, int64_t steps, bool isReverse) {
  const int64_t axis = int64_t(node.graph().type(x).shape.size()) - 1;
  return isReverse ? padded(node, x, axis, -steps, steps, 1) : padded(node, x, axis, steps, -steps, 1);
}

/// The product of all elements up to each one, by doubling: of 2, then 4, then 8 neighbours.
llvm::Error importCumProd(NodeImport &node) {
  auto axis = node.axisOperand(1);
  if (!axis) return axis.takeError();
  const bool isReverse = node.integer("reverse", 0);
  const int64_t size = node.type(0).shape[*axis];
  Formula f(node);
  const auto perm = lastSwapped(node.type(0).shape.size(), *axis);
  ValueId x = f.transpose(node[0], perm);
  for (int64_t steps = 1; steps < size && !f.isBroken(x); steps *= 2)
    x = f("mul", {x, f.taken(shifted(node, x, steps, isReverse))});
  if (node.integer("exclusive", 0) && size > 0 && !f.isBroken(x)) x = f.taken(shifted(node, x, 1, isReverse));
  return f.finish(f.transpose(x, perm));
}

llvm::Error importTan(NodeImport &node) {
  Formula f(node);
  return f.finish(f("div", {f("sin", {node[0]}), f("cos", {node[0]})}));
}

/// (exp(x) + exp(-x)) / 2, or with - for `join` "sub".
ValueId halfSum(Formula &f, ValueId x, llvm::StringRef join) {
  return times(f, f(join, {f("exp", {x}), f("exp", {f("neg", {x})})}), 0.5);
}
llvm::Error importCosh(NodeImport &node) {
  Formula f(node);
  return f.finish(halfSum(f, node[0], "add"));
}
llvm::Error importSinh(NodeImport &node) {
  Formula f(node);
  return f.finish(halfSum(f, node[0], "sub"));
}

/// sign(x) log(|x| + sqrt(x^2 + 1)), since the sum would cancel for negative x. At 0, |x| is taken as x, so the
/// gradient is 1.
llvm::Error importAsinh(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0], isNegative = f("less", {x, f.constant(x, 0)}), size = f("where", {isNegative, f("neg", {x}), x});
  ValueId grown = f("log", {f("add", {size, f("sqrt", {plus(f, f("mul", {x, x}), 1)})})});
  return f.finish(f("where", {isNegative, f("neg", {grown}), grown}));
}
/// log(x + sqrt(x^2 - 1))
llvm::Error importAcosh(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0];
  return f.finish(f("log", {f("add", {x, f("sqrt", {plus(f, f("mul", {x, x}), -1)})})}));
}
/// log((1 + x) / (1 - x)) / 2
llvm::Error importAtanh(NodeImport &node) {
  Formula f(node);
  ValueId x = node[0], one = f.constant(x, 1);
  return f.finish(times(f, f("log", {f("div", {f("add", {one, x}), f("sub", {one, x})})}), 0.5));
}

/// Combines constant integers element by element, with broadcasting. No operator of ours works on bits.
llvm::Error foldBits(NodeImport &node, llvm::function_ref<int64_t(int64_t, int64_t)> combine) {
  std::vector<Array> known; // copies, since constant() may fold nodes, which moves other constants
  for (ValueId operand : node.operands())
    if (const Tensor *tensor = node.constant(operand)) known.push_back(toArray(*tensor));
  if (known.size() != node.numOperands() || isFloat(known[0].type.dtype) ||
      known.back().type.dtype != known[0].type.dtype)
    return node.fail("bits are looked at in integers that are known when compiling only");
  const Array &left = known[0], &right = known.back();
  auto shape = broadcastShapes(left.type.shape, right.type.shape);
  if (!shape) return node.fail(shape.takeError());
  if (llvm::Error error = node.mustHold(*shape, 2)) return error;
  Array result(Type{left.type.dtype, *shape});
  BroadcastWalk walk(*shape, {left.type, right.type});
  while (walk.next())
    result.data[size_t(walk.index)] =
        double(combine(int64_t(left.data[walk.offsets[0]]), int64_t(right.data[walk.offsets[1]])));
  return node.result(node.constantOf(toTensor(result)));
}
llvm::Error importBitAnd(NodeImport &node) {
  return foldBits(node, [](int64_t a, int64_t b) { return a & b; });
}
llvm::Error importBitOr(NodeImport &node) {
  return foldBits(node, [](int64_t a, int64_t b) { return a | b; });
}
llvm::Error importBitXor(NodeImport &node) {
  return foldBits(node, [](int64_t a, int64_t b) { return a ^ b; });
}
llvm::Error importBitNot(NodeImport &node) {
  const bool isByte = node.type(0).dtype == DType::U8;
  return foldBits(node, [&](int64_t a, int64_t) { return isByte ? 255 - a : ~a; });
}
/// A shift by the width or more, or by a negative number, gives what shifting bit by bit would.
llvm::Error importBitShift(NodeImport &node) {
  const bool isLeft = node.text("direction", "") == "LEFT";
  const DType dtype = node.type(0).dtype;
  const int64_t width = int64_t(8 * sizeOf(dtype));
  return foldBits(node, [&](int64_t a, int64_t by) -> int64_t {
    if (by < 0 || by >= width) return isLeft || a >= 0 ? 0 : -1;
    if (!isLeft) return a >> by;
    const uint64_t shifted = uint64_t(a) << by;
    return dtype == DType::U8    ? int64_t(uint8_t(shifted))
           : dtype == DType::I32 ? int64_t(int32_t(shifted))
                                 : int64_t(shifted);
  });
}

const ImportDef kImports[] = {
    {"", "Acosh", 1, importAcosh},
    {"", "Asinh", 1, importAsinh},
    {"", "Atanh", 1, importAtanh},
    {"", "BitShift", 2, importBitShift, 0, "its operands must be known when compiling"},
    {"", "BitwiseAnd", 2, importBitAnd, 0, "its operands must be known when compiling"},
    {"", "BitwiseNot", 1, importBitNot, 0, "its operands must be known when compiling"},
    {"", "BitwiseOr", 2, importBitOr, 0, "its operands must be known when compiling"},
    {"", "BitwiseXor", 2, importBitXor, 0, "its operands must be known when compiling"},
    {"", "Cosh", 1, importCosh},
    {"", "CumProd", 2, importCumProd},
    {"", "IsInf", 1, importIsInf},
    {"", "Mod", 2, importMod},
    {"", "ReduceProd", 1, importReduceProd},
    {"", "Round", 1, importRound},
    {"", "Sinh", 1, importSinh},
    {"", "Tan", 1, importTan},
};

} // namespace

llvm::ArrayRef<ImportDef> arithmeticImports() { return kImports; }

} // namespace autotp

// compiler/ops/elementwise.cpp: operators whose result elements depend on the operands' elements at the same place,
// with broadcasting.
#include "compiler/ops/families.h"

#include <cmath>

namespace autotp {
namespace {

template <double (*F)(double)>
void evaluateUnary(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = F(in[0]->data[i]);
}

template <double (*F)(double, double)>
void evaluateBinary(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  BroadcastWalk walk(out[0].type.shape, call.operands);
  while (walk.next())
    out[0].data[walk.index] = F(in[0]->data[walk.offsets[0]], in[1]->data[walk.offsets[1]]);
}

double negative(double x) { return -x; }
double rsqrt(double x) { return 1 / std::sqrt(x); }
double reciprocal(double x) { return 1 / x; }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double relu(double x) { return x < 0 ? 0 : x; } // NaN stays NaN
double sign(double x) { return (x > 0) - (x < 0); }
double silu(double x) { return x * sigmoid(x); }
double isNan(double x) { return std::isnan(x); }
double logicalNot(double x) { return x == 0; }
double add(double a, double b) { return a + b; }
double sub(double a, double b) { return a - b; }
double mul(double a, double b) { return a * b; }
double maximum(double a, double b) { return a > b || std::isnan(a) ? a : b; }
double minimum(double a, double b) { return a < b || std::isnan(a) ? a : b; }
double equal(double a, double b) { return a == b; }
double less(double a, double b) { return a < b; }
double lessEqual(double a, double b) { return a <= b; }
double greater(double a, double b) { return a > b; }
double greaterEqual(double a, double b) { return a >= b; }
double logicalAnd(double a, double b) { return a != 0 && b != 0; }
double logicalOr(double a, double b) { return a != 0 || b != 0; }
double reluGrad(double x, double dy) { return x > 0 ? dy : 0; }
double siluGradAt(double x, double dy) { return dy * sigmoid(x) * (1 + x * (1 - sigmoid(x))); }

constexpr double kSqrtTwoOverPi = 0.7978845608028654, kTanhCubic = 0.044715, kSqrtHalf = 0.7071067811865476,
                 kInvSqrtTwoPi = 0.3989422804014327, kTwoOverSqrtPi = 1.1283791670955126;

/// x Phi(x), or its approximation by tanh (Hendrycks and Gimpel 2016).
double gelu(double x, bool isTanh) {
  if (isTanh) return 0.5 * x * (1 + std::tanh(kSqrtTwoOverPi * (x + kTanhCubic * x * x * x)));
  return 0.5 * x * (1 + std::erf(x * kSqrtHalf));
}

double geluDerivative(double x, bool isTanh) {
  if (!isTanh) return 0.5 * (1 + std::erf(x * kSqrtHalf)) + x * kInvSqrtTwoPi * std::exp(-0.5 * x * x);
  double t = std::tanh(kSqrtTwoOverPi * (x + kTanhCubic * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kSqrtTwoOverPi * (1 + 3 * kTanhCubic * x * x);
}

void evaluateGelu(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  bool isTanh = call.attributes.integer("tanh");
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = gelu(in[0]->data[i], isTanh);
}

void evaluateGeluGrad(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  bool isTanh = call.attributes.integer("tanh");
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = in[1]->data[i] * geluDerivative(in[0]->data[i], isTanh);
}

void evaluateDiv(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  bool truncates = !isFloat(out[0].type.dtype);
  BroadcastWalk walk(out[0].type.shape, call.operands);
  while (walk.next()) {
    double a = in[0]->data[walk.offsets[0]], b = in[1]->data[walk.offsets[1]];
    out[0].data[walk.index] = truncates ? (b == 0 ? 0 : std::trunc(a / b)) : a / b;
  }
}

void evaluateWhere(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  BroadcastWalk walk(out[0].type.shape, call.operands);
  while (walk.next())
    out[0].data[walk.index] =
        in[0]->data[walk.offsets[0]] != 0 ? in[1]->data[walk.offsets[1]] : in[2]->data[walk.offsets[2]];
}

void evaluateCast(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  bool truncates = isFloat(in[0]->type.dtype) && !isFloat(out[0].type.dtype) && out[0].type.dtype != DType::Bool;
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = truncates ? std::trunc(in[0]->data[i]) : in[0]->data[i];
}

void evaluateSwiglu(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = silu(in[0]->data[i]) * in[1]->data[i];
}

void evaluateSwigluGrad(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < out[0].data.size(); ++i) {
    double gate = in[0]->data[i], up = in[1]->data[i], dy = in[2]->data[i];
    out[0].data[i] = siluGradAt(gate, dy * up);
    out[1].data[i] = dy * silu(gate);
  }
}

llvm::Expected<Types> inferBinary(const OpCall &call) {
  if (call.operands[0].dtype != call.operands[1].dtype)
    return typeProblem("its operands are " + llvm::Twine(call.operands[0].text()) + " and " + call.operands[1].text());
  llvm::Expected<Shape> shape = broadcastShapes(call.operands[0].shape, call.operands[1].shape);
  if (!shape) return shape.takeError();
  return Types{Type{call.operands[0].dtype, *shape}};
}

llvm::Expected<Types> inferCompare(const OpCall &call) {
  llvm::Expected<Types> types = inferBinary(call);
  if (types) (*types)[0].dtype = DType::Bool;
  return types;
}

llvm::Expected<Types> inferIsNan(const OpCall &call) { return Types{Type{DType::Bool, call.operands[0].shape}}; }

llvm::Expected<Types> inferWhere(const OpCall &call) {
  if (call.operands[0].dtype != DType::Bool)
    return problem("", "its condition is " + call.operands[0].text() + ", and no bool", "compare it with a number");
  llvm::Expected<Types> branches = inferBinary(OpCall{call.operands.drop_front(), call.attributes, {}});
  if (!branches) return branches.takeError();
  llvm::Expected<Shape> shape = broadcastShapes(call.operands[0].shape, (*branches)[0].shape);
  if (!shape) return shape.takeError();
  return Types{Type{(*branches)[0].dtype, *shape}};
}

llvm::Expected<Types> inferCast(const OpCall &call) {
  llvm::Expected<Types> results = inferStated(call);
  if (!results) return results;
  if (llvm::Error error = checkShape(call, 0, "operand", (*results)[0].shape)) return error;
  return results;
}

llvm::Expected<Types> inferSwigluGrad(const OpCall &call) {
  if (llvm::Error error = checkAlike(call.operands)) return error;
  return Types{call.operands[0], call.operands[1]};
}

// Gradients. `x(b, n, i)` is operand i of node n, and `y(b, n)` its result.
ValueId x(Builder &b, NodeId n, unsigned i = 0) { return b.graph.node(n).operands[i]; }
ValueId y(Builder &b, NodeId n) { return b.graph.node(n).results[0]; }
ValueId constantLike(Builder &b, ValueId like, double value) { return b.scalar(b.graph.type(like).dtype, value); }
ValueId times(Builder &b, ValueId a, ValueId c) { return b.make("mul", {a, c}); }
ValueId scaled(Builder &b, ValueId a, double factor) { return times(b, a, constantLike(b, a, factor)); }
ValueId zerosLike(Builder &b, ValueId like) { return b.full(b.graph.type(like), 0); }
ValueId to(Builder &b, ValueId gradient, ValueId operand) { return b.sumTo(gradient, b.graph.type(operand).shape); }

using In = llvm::ArrayRef<ValueId>;
using Out = llvm::MutableArrayRef<ValueId>;

void negGradient(Builder &b, NodeId, In d, Out o) { o[0] = b.make("neg", {d[0]}); }
void expGradient(Builder &b, NodeId n, In d, Out o) { o[0] = times(b, d[0], y(b, n)); }
void logGradient(Builder &b, NodeId n, In d, Out o) { o[0] = b.make("div", {d[0], x(b, n)}); }
void sqrtGradient(Builder &b, NodeId n, In d, Out o) { o[0] = b.make("div", {scaled(b, d[0], 0.5), y(b, n)}); }
void rsqrtGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId cube = times(b, times(b, y(b, n), y(b, n)), y(b, n));
  o[0] = times(b, d[0], scaled(b, cube, -0.5));
}
void reciprocalGradient(Builder &b, NodeId n, In d, Out o) {
  o[0] = times(b, d[0], b.make("neg", {times(b, y(b, n), y(b, n))}));
}
void tanhGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId square = times(b, y(b, n), y(b, n));
  o[0] = times(b, d[0], b.make("sub", {constantLike(b, square, 1), square}));
}
void sigmoidGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId slope = times(b, y(b, n), b.make("sub", {constantLike(b, y(b, n), 1), y(b, n)}));
  o[0] = times(b, d[0], slope);
}
void erfGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId square = times(b, x(b, n), x(b, n));
  o[0] = times(b, d[0], scaled(b, b.make("exp", {b.make("neg", {square})}), kTwoOverSqrtPi));
}
void reluGradient(Builder &b, NodeId n, In d, Out o) { o[0] = b.make("relu_grad", {x(b, n), d[0]}); }
void absGradient(Builder &b, NodeId n, In d, Out o) { o[0] = times(b, d[0], b.make("sign", {x(b, n)})); }
/// The gradient of step functions such as floor, which is 0.
void flatGradient(Builder &b, NodeId n, In, Out o) { o[0] = zerosLike(b, x(b, n)); }
void sinGradient(Builder &b, NodeId n, In d, Out o) { o[0] = times(b, d[0], b.make("cos", {x(b, n)})); }
void cosGradient(Builder &b, NodeId n, In d, Out o) {
  o[0] = times(b, d[0], b.make("neg", {b.make("sin", {x(b, n)})}));
}
void siluGradient(Builder &b, NodeId n, In d, Out o) { o[0] = b.make("silu_grad", {x(b, n), d[0]}); }
void geluGradient(Builder &b, NodeId n, In d, Out o) {
  o[0] = b.make("gelu_grad", {x(b, n), d[0]}, {{"tanh", b.graph.node(n).attributes.integer("tanh")}});
}
void castGradient(Builder &b, NodeId n, In d, Out o) {
  const Type type = b.graph.type(x(b, n));
  if (isFloat(type.dtype)) o[0] = b.makeTyped("cast", {d[0]}, type);
}
void addGradient(Builder &b, NodeId n, In d, Out o) {
  o[0] = to(b, d[0], x(b, n, 0));
  o[1] = to(b, d[0], x(b, n, 1));
}
void subGradient(Builder &b, NodeId n, In d, Out o) {
  o[0] = to(b, d[0], x(b, n, 0));
  o[1] = to(b, b.make("neg", {d[0]}), x(b, n, 1));
}
void mulGradient(Builder &b, NodeId n, In d, Out o) {
  o[0] = to(b, times(b, d[0], x(b, n, 1)), x(b, n, 0));
  o[1] = to(b, times(b, d[0], x(b, n, 0)), x(b, n, 1));
}
void divGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId over = b.make("div", {d[0], x(b, n, 1)});
  o[0] = to(b, over, x(b, n, 0));
  o[1] = to(b, b.make("neg", {times(b, over, y(b, n))}), x(b, n, 1));
}
/// Whether an exponent is a constant that contains no 0.
bool isNowhereZero(const Builder &b, ValueId exponent) {
  const Value &value = b.graph.value(exponent);
  return value.kind == ValueKind::Constant && value.contents && !llvm::is_contained(toArray(*value.contents).data, 0.0);
}
/// At x = 0, the gradient of x^0 for x is 0, while the formula has 0 * inf; so is that of 0^y for y >= 0, where it has
/// 0 * -inf.
void powGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId base = x(b, n, 0), exponent = x(b, n, 1), zero = constantLike(b, base, 0);
  ValueId less = b.make("sub", {exponent, constantLike(b, exponent, 1)});
  ValueId ofBase = times(b, exponent, b.make("pow", {base, less}));
  if (!isNowhereZero(b, exponent)) ofBase = b.make("where", {b.make("equal", {exponent, zero}), zero, ofBase});
  ValueId isFlat = b.make("and", {b.make("equal", {base, zero}), b.make("greater_equal", {exponent, zero})});
  ValueId ofExponent = b.make("where", {isFlat, zero, times(b, y(b, n), b.make("log", {base}))});
  o[0] = to(b, times(b, d[0], ofBase), base);
  o[1] = to(b, times(b, d[0], ofExponent), exponent);
}
/// The selected operand gets the gradient. Of equal operands, the first gets it, or each gets half with {shares}.
void selectGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId zero = constantLike(b, d[0], 0);
  bool isMax = b.graph.node(n).is("max");
  if (!b.graph.node(n).attributes.integer("shares")) {
    ValueId isFirst = b.make(isMax ? "greater_equal" : "less_equal", {x(b, n, 0), x(b, n, 1)});
    o[0] = to(b, b.make("where", {isFirst, d[0], zero}), x(b, n, 0));
    o[1] = to(b, b.make("where", {isFirst, zero, d[0]}), x(b, n, 1));
    return;
  }
  ValueId shared = b.make("where", {b.make("equal", {x(b, n, 0), x(b, n, 1)}), scaled(b, d[0], 0.5), d[0]});
  for (unsigned k : {0u, 1u}) {
    // False for NaN, of which both operands get a gradient.
    ValueId isOther = b.make(isMax ? "less" : "greater", {x(b, n, k), x(b, n, 1 - k)});
    o[k] = to(b, b.make("where", {isOther, zero, shared}), x(b, n, k));
  }
}
void whereGradient(Builder &b, NodeId n, In d, Out o) {
  ValueId zero = constantLike(b, d[0], 0);
  o[1] = to(b, b.make("where", {x(b, n, 0), d[0], zero}), x(b, n, 1));
  o[2] = to(b, b.make("where", {x(b, n, 0), zero, d[0]}), x(b, n, 2));
}
void swigluGradient(Builder &b, NodeId n, In d, Out o) {
  auto both = b.makeMany("swiglu_grad", {x(b, n, 0), x(b, n, 1), d[0]});
  o[0] = both[0];
  o[1] = both[1];
}

constexpr const char *kOne = "... -> ...", *kTwo = "..., ... -> ...", *kThree = "..., ..., ... -> ...";

OpDef unary(const char *name, EvaluateFn evaluate, GradientFn gradient, KernelId kernel, OperandSet linearIn = 0) {
  return {.name = name,
          .axes = kOne,
          .linearIn = linearIn,
          .infer = inferSame,
          .evaluate = evaluate,
          .gradient = gradient,
          .kernel = kernel,
          .mayReuse = true};
}
OpDef binary(const char *name, EvaluateFn evaluate, GradientFn gradient, KernelId kernel, OperandSet linearIn = 0) {
  return {.name = name,
          .axes = kTwo,
          .linearIn = linearIn,
          .infer = inferBinary,
          .evaluate = evaluate,
          .gradient = gradient,
          .kernel = kernel,
          .mayReuse = true};
}
OpDef additive(const char *name, EvaluateFn evaluate, GradientFn gradient, KernelId kernel) {
  OpDef row = binary(name, evaluate, gradient, kernel, kEveryOperand);
  row.isAdditive = true;
  return row;
}
/// For operators whose results leave the range of small floats, or must have more digits for their uses.
OpDef inF32(OpDef row) {
  row.precision = Precision::Full;
  return row;
}
/// The row of the gradient of an operator of one operand, computed from that operand and the incoming gradient.
OpDef gradientOf(const char *name, EvaluateFn evaluate, KernelId kernel) {
  return {.name = name,
          .axes = kTwo,
          .linearIn = operand(1),
          .infer = inferAlike,
          .evaluate = evaluate,
          .kernel = kernel,
          .mayReuse = true};
}
OpDef compare(const char *name, EvaluateFn evaluate, KernelId kernel) {
  return {.name = name, .axes = kTwo, .infer = inferCompare, .evaluate = evaluate, .kernel = kernel};
}
OpDef logical(const char *name, EvaluateFn evaluate, KernelId kernel) {
  return {.name = name, .axes = kTwo, .infer = inferBinary, .evaluate = evaluate, .kernel = kernel};
}

const OpDef kOps[] = {
    unary("neg", evaluateUnary<negative>, negGradient, KernelId::Neg, kEveryOperand),
    inF32(unary("exp", evaluateUnary<std::exp>, expGradient, KernelId::Exp)),
    inF32(unary("log", evaluateUnary<std::log>, logGradient, KernelId::Log)),
    inF32(unary("sqrt", evaluateUnary<std::sqrt>, sqrtGradient, KernelId::Sqrt)),
    inF32(unary("rsqrt", evaluateUnary<rsqrt>, rsqrtGradient, KernelId::Rsqrt)),
    inF32(unary("reciprocal", evaluateUnary<reciprocal>, reciprocalGradient, KernelId::Reciprocal)),
    unary("tanh", evaluateUnary<std::tanh>, tanhGradient, KernelId::Tanh),
    unary("sigmoid", evaluateUnary<sigmoid>, sigmoidGradient, KernelId::Sigmoid),
    unary("erf", evaluateUnary<std::erf>, erfGradient, KernelId::Erf),
    unary("relu", evaluateUnary<relu>, reluGradient, KernelId::Relu),
    unary("abs", evaluateUnary<std::fabs>, absGradient, KernelId::Abs),
    unary("sin", evaluateUnary<std::sin>, sinGradient, KernelId::Sin),
    unary("cos", evaluateUnary<std::cos>, cosGradient, KernelId::Cos),
    unary("floor", evaluateUnary<std::floor>, flatGradient, KernelId::Floor),
    unary("sign", evaluateUnary<sign>, flatGradient, KernelId::Sign),
    unary("silu", evaluateUnary<silu>, siluGradient, KernelId::Silu),
    unary("gelu", evaluateGelu, geluGradient, KernelId::Gelu),
    unary("not", evaluateUnary<logicalNot>, nullptr, KernelId::Not),
    {.name = "is_nan", .axes = kOne, .infer = inferIsNan, .evaluate = evaluateUnary<isNan>, .kernel = KernelId::IsNan},
    {.name = "cast",
     .axes = kOne,
     .linearIn = kEveryOperand,
     .infer = inferCast,
     .evaluate = evaluateCast,
     .gradient = castGradient,
     .kernel = KernelId::Cast},
    additive("add", evaluateBinary<add>, addGradient, KernelId::Add),
    additive("sub", evaluateBinary<sub>, subGradient, KernelId::Sub),
    binary("mul", evaluateBinary<mul>, mulGradient, KernelId::Mul, kEveryOperand),
    binary("div", evaluateDiv, divGradient, KernelId::Div, operand(0)),
    inF32(binary("pow", evaluateBinary<std::pow>, powGradient, KernelId::Pow)),
    binary("max", evaluateBinary<maximum>, selectGradient, KernelId::Max),
    binary("min", evaluateBinary<minimum>, selectGradient, KernelId::Min),
    compare("equal", evaluateBinary<equal>, KernelId::Equal),
    compare("less", evaluateBinary<less>, KernelId::Less),
    compare("less_equal", evaluateBinary<lessEqual>, KernelId::LessEqual),
    compare("greater", evaluateBinary<greater>, KernelId::Greater),
    compare("greater_equal", evaluateBinary<greaterEqual>, KernelId::GreaterEqual),
    logical("and", evaluateBinary<logicalAnd>, KernelId::And),
    logical("or", evaluateBinary<logicalOr>, KernelId::Or),
    {.name = "where",
     .axes = kThree,
     .infer = inferWhere,
     .evaluate = evaluateWhere,
     .gradient = whereGradient,
     .kernel = KernelId::Where},
    gradientOf("relu_grad", evaluateBinary<reluGrad>, KernelId::ReluGrad),
    gradientOf("silu_grad", evaluateBinary<siluGradAt>, KernelId::SiluGrad),
    gradientOf("gelu_grad", evaluateGeluGrad, KernelId::GeluGrad),
    {.name = "swiglu",
     .axes = kTwo,
     .infer = inferAlike,
     .evaluate = evaluateSwiglu,
     .gradient = swigluGradient,
     .kernel = KernelId::Swiglu,
     .mayReuse = true},
    {.name = "swiglu_grad",
     .axes = "..., ..., ... -> ..., ...",
     .linearIn = operand(2),
     .infer = inferSwigluGrad,
     .evaluate = evaluateSwigluGrad,
     .kernel = KernelId::SwigluGrad},
};

} // namespace

llvm::ArrayRef<OpDef> elementwiseOps() { return kOps; }

} // namespace autotp

// compiler/onnx/elementwise.cpp: operators that work element by element.
#include "compiler/onnx/import_table.h"

#include <cmath>

namespace autotp {
namespace {

/// The name of one of our operators, as an argument of a template.
template <size_t kSize> struct OpName {
  char text[kSize];
  constexpr OpName(const char (&name)[kSize]) { std::copy_n(name, kSize, text); }
};

/// Imports an operator that is ours on the same operands.
template <OpName kOp> llvm::Error same(NodeImport &node) {
  if (node.hasMoreThanLeast()) return node.fail("it has too many operands");
  return node.result(node.make(kOp.text, node.operands()));
}

/// Imports Max, Min and Sum, which take any number of operands. With `kShares`, equal operands share the gradient.
template <OpName kOp, bool kShares = false> llvm::Error chain(NodeImport &node) {
  ValueId result = node[0];
  const bool shares = kShares && isFloat(node.type(0).dtype);
  for (size_t k = 1; k < node.numOperands(); ++k) {
    auto next = node.make(kOp.text, {result, node[k]}, shares ? Attributes{{"shares", int64_t(1)}} : Attributes());
    if (!next) return next.takeError();
    result = *next;
  }
  node.results.push_back(result);
  return llvm::Error::success();
}

/// Imports Max and Min. PyTorch's exporter also writes a clamp by numbers in this way, whose gradient at the bounds is
/// that of importClip().
template <OpName kOp> llvm::Error extremum(NodeImport &node) {
  if (node.numOperands() == 2 && node.has(1) && node.comesFrom("aten.clamp") && node.constant(node[1]))
    return node.result(node.make(kOp.text, {node[1], node[0]}));
  return chain<kOp, true>(node);
}

llvm::Error importIdentity(NodeImport &node) {
  node.results.push_back(node[0]);
  return llvm::Error::success();
}

/// x * sigmoid(alpha * x)
llvm::Error importSwish(NodeImport &node) {
  if (node.real("alpha", 1) == 1) return same<"silu">(node);
  auto scaled = node.make("mul", {node[0], node.scalar(node.type(0).dtype, node.real("alpha", 1))});
  if (!scaled) return scaled.takeError();
  auto gate = node.make("sigmoid", {*scaled});
  if (!gate) return gate.takeError();
  return node.result(node.make("mul", {node[0], *gate}));
}

/// The exponent may have another type than the base.
llvm::Error importPow(NodeImport &node) {
  ValueId exponent = node[1];
  if (!isFloat(node.type(0).dtype) && isFloat(node.type(1).dtype))
    return node.fail("an integer to the power of a float is not supported", "cast the base to a float first");
  if (node.type(1).dtype != node.type(0).dtype) {
    auto converted = node.make("cast", {exponent}, {}, Type{node.type(0).dtype, node.type(1).shape});
    if (!converted) return converted.takeError();
    exponent = *converted;
  }
  return node.result(node.make("pow", {node[0], exponent}));
}

llvm::Error importCast(NodeImport &node) {
  auto dtype = dtypeOf(int(node.integer("to", 1)));
  if (!dtype) return node.fail(dtype.takeError());
  if (*dtype == node.type(0).dtype) return importIdentity(node);
  return node.result(node.make("cast", {node[0]}, {}, Type{*dtype, node.type(0).shape}));
}

/// PyTorch's attention hides keys by -inf, but its exporter writes the lowest finite number. With that, rows without
/// keys would become a mean instead of 0, so -inf is restored.
llvm::Error importWhere(NodeImport &node) {
  const Tensor *hidden = node.comesFrom("aten.scaled_dot_product_attention") ? node.constant(node[2]) : nullptr;
  constexpr double kLowestOfF16 = -65504;
  if (!hidden || !isFloat(hidden->type.dtype) || hidden->type.elements() != 1 ||
      !(toArray(*hidden).data[0] <= kLowestOfF16))
    return same<"where">(node);
  return node.result(node.make("where", {node[0], node[1], node.scalar(hidden->type.dtype, -HUGE_VAL)}));
}

llvm::Error importGelu(NodeImport &node) {
  return node.result(node.make("gelu", {node[0]}, {{"tanh", int64_t(node.text("approximate", "none") == "tanh")}}));
}

llvm::Error importDropout(NodeImport &node) {
  auto constantOf = [&](size_t k, double otherwise) -> std::optional<double> {
    if (!node.has(k)) return otherwise;
    const Tensor *tensor = node.constant(node[k]);
    if (!tensor || tensor->type.elements() != 1) return std::nullopt;
    return toArray(*tensor).data[0];
  };
  const std::optional<double> ratio = constantOf(1, 0.5), training = constantOf(2, 0);
  if (!ratio || !training) return node.fail("its ratio or its training_mode is no constant");
  if (*training == 0 || *ratio == 0) return importIdentity(node);
  if (*ratio < 0 || *ratio >= 1) return node.fail("its ratio is not in [0, 1)");
  return node.result(node.make("dropout", {node[0]}, {{"ratio", *ratio}}));
}

const ImportDef kImports[] = {
    {"", "Abs", 1, same<"abs">},
    {"", "Add", 2, same<"add">},
    {"", "And", 2, same<"and">},
    {"", "Cast", 1, importCast},
    {"", "Cos", 1, same<"cos">},
    {"", "Div", 2, same<"div">},
    {"", "Dropout", 1, importDropout},
    {"", "Equal", 2, same<"equal">},
    {"", "Erf", 1, same<"erf">},
    {"", "Exp", 1, same<"exp">},
    {"", "Floor", 1, same<"floor">},
    {"", "Gelu", 1, importGelu},
    {"", "Greater", 2, same<"greater">},
    {"", "GreaterOrEqual", 2, same<"greater_equal">},
    {"", "Identity", 1, importIdentity, 1},
    {"", "IsNaN", 1, same<"is_nan">},
    {"", "Less", 2, same<"less">},
    {"", "LessOrEqual", 2, same<"less_equal">},
    {"", "Log", 1, same<"log">},
    {"", "Max", 1, extremum<"max">},
    {"", "Min", 1, extremum<"min">},
    {"", "Mul", 2, same<"mul">},
    {"", "Neg", 1, same<"neg">},
    {"", "Not", 1, same<"not">},
    {"", "Or", 2, same<"or">},
    {"", "Pow", 2, importPow},
    {"", "Reciprocal", 1, same<"reciprocal">},
    {"", "Relu", 1, same<"relu">},
    {"", "Sigmoid", 1, same<"sigmoid">},
    {"", "Sign", 1, same<"sign">},
    {"", "Sin", 1, same<"sin">},
    {"", "Sqrt", 1, same<"sqrt">},
    {"", "Sub", 2, same<"sub">},
    {"", "Sum", 1, chain<"add">},
    {"", "Swish", 1, importSwish},
    {"", "Tanh", 1, same<"tanh">},
    {"", "Where", 3, importWhere},
};

} // namespace

llvm::ArrayRef<ImportDef> elementwiseImports() { return kImports; }

} // namespace autotp

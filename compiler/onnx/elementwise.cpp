// compiler/onnx/elementwise.cpp: operators that work element by element.
#include "compiler/onnx/import_table.h"

namespace autotp {
namespace {

/// ONNX's name is ours, and so are operands and types.
template <const char *kOp, unsigned kOperands> llvm::Error same(NodeImport &node) {
  llvm::SmallVector<ValueId, 3> operands;
  for (unsigned k = 0; k < kOperands; ++k) {
    if (!node.has(k)) return node.fail("operand " + llvm::Twine(k) + " is missing");
    operands.push_back(node[k]);
  }
  AUTOTP_TRY(result, node.make(kOp, operands));
  node.results.push_back(result);
  return llvm::Error::success();
}

#define AUTOTP_SAME(name, operands)                                                                                    \
  constexpr char k_##name[] = #name;                                                                                   \
  constexpr ImportFn import_##name = same<k_##name, operands>;
AUTOTP_SAME(neg, 1)
AUTOTP_SAME(exp, 1)
AUTOTP_SAME(log, 1) AUTOTP_SAME(sqrt, 1) AUTOTP_SAME(reciprocal, 1) AUTOTP_SAME(tanh, 1) AUTOTP_SAME(sigmoid, 1)
    AUTOTP_SAME(erf, 1) AUTOTP_SAME(relu, 1) AUTOTP_SAME(abs, 1) AUTOTP_SAME(sin, 1) AUTOTP_SAME(cos, 1)
        AUTOTP_SAME(floor, 1) AUTOTP_SAME(is_nan, 1) AUTOTP_SAME(add, 2) AUTOTP_SAME(sub, 2) AUTOTP_SAME(mul, 2)
            AUTOTP_SAME(div, 2) AUTOTP_SAME(equal, 2) AUTOTP_SAME(less, 2) AUTOTP_SAME(less_equal, 2)
                AUTOTP_SAME(greater, 2) AUTOTP_SAME(greater_equal, 2) AUTOTP_SAME(where, 3)
                    AUTOTP_SAME(silu, 1) constexpr char k_not[] = "not",
                                                        k_and[] = "and", k_or[] = "or";
#undef AUTOTP_SAME

/// Max, Min and Sum take any number of operands.
template <const char *kOp> llvm::Error chain(NodeImport &node) {
  if (!node.has(0)) return node.fail("it has no operand");
  ValueId result = node[0];
  for (size_t k = 1; k < node.numOperands(); ++k) {
    AUTOTP_TRY(next, node.make(kOp, {result, node[k]}));
    result = next;
  }
  node.results.push_back(result);
  return llvm::Error::success();
}
constexpr char k_max[] = "max", k_min[] = "min", k_sum[] = "add";

llvm::Error importIdentity(NodeImport &node) {
  if (!node.has(0)) return node.fail("it has no operand");
  node.results.push_back(node[0]);
  return llvm::Error::success();
}

/// x * sigmoid(alpha * x)
llvm::Error importSwish(NodeImport &node) {
  if (node.real("alpha", 1) == 1) return import_silu(node);
  if (!node.has(0)) return node.fail("it has no operand");
  AUTOTP_TRY(scaled, node.make("mul", {node[0], node.scalar(node.type(0).dtype, node.real("alpha", 1))}));
  AUTOTP_TRY(gate, node.make("sigmoid", {scaled}));
  AUTOTP_TRY(result, node.make("mul", {node[0], gate}));
  node.results.push_back(result);
  return llvm::Error::success();
}

/// The exponent may have another type than the base.
llvm::Error importPow(NodeImport &node) {
  if (!node.has(1)) return node.fail("its exponent is missing");
  ValueId exponent = node[1];
  if (!isFloat(node.type(0).dtype) && isFloat(node.type(1).dtype))
    return node.fail("an integer to the power of a float is not supported", "cast the base to a float first");
  if (node.type(1).dtype != node.type(0).dtype) {
    AUTOTP_TRY(converted, node.make("cast", {exponent}, {}, Type{node.type(0).dtype, node.type(1).shape}));
    exponent = converted;
  }
  AUTOTP_TRY(result, node.make("pow", {node[0], exponent}));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importCast(NodeImport &node) {
  AUTOTP_TRY(dtype, dtypeOf(int(node.integer("to", 1))));
  if (dtype == node.type(0).dtype) return importIdentity(node);
  AUTOTP_TRY(result, node.make("cast", {node[0]}, {}, Type{dtype, node.type(0).shape}));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importGelu(NodeImport &node) {
  AUTOTP_TRY(result, node.make("gelu", {node[0]}, {{"tanh", int64_t(node.text("approximate", "none") == "tanh")}}));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importDropout(NodeImport &node) {
  const Tensor *training = node.has(2) ? node.constant(node[2]) : nullptr;
  if (node.has(2) && (!training || training->type.elements() != 1 || toArray(*training).data[0] != 0))
    return node.fail("dropout in training mode is not supported", "export the model in eval mode");
  return importIdentity(node);
}

const ImportDef kImports[] = {
    {"", "Abs", import_abs},
    {"", "Add", import_add},
    {"", "And", same<k_and, 2>},
    {"", "Cast", importCast},
    {"", "Cos", import_cos},
    {"", "Div", import_div},
    {"", "Dropout", importDropout},
    {"", "Equal", import_equal},
    {"", "Erf", import_erf},
    {"", "Exp", import_exp},
    {"", "Floor", import_floor},
    {"", "Gelu", importGelu},
    {"", "Greater", import_greater},
    {"", "GreaterOrEqual", import_greater_equal},
    {"", "Identity", importIdentity},
    {"", "IsNaN", import_is_nan},
    {"", "Less", import_less},
    {"", "LessOrEqual", import_less_equal},
    {"", "Log", import_log},
    {"", "Max", chain<k_max>},
    {"", "Min", chain<k_min>},
    {"", "Mul", import_mul},
    {"", "Neg", import_neg},
    {"", "Not", same<k_not, 1>},
    {"", "Or", same<k_or, 2>},
    {"", "Pow", importPow},
    {"", "Reciprocal", import_reciprocal},
    {"", "Relu", import_relu},
    {"", "Sigmoid", import_sigmoid},
    {"", "Sin", import_sin},
    {"", "Sqrt", import_sqrt},
    {"", "Sub", import_sub},
    {"", "Sum", chain<k_sum>},
    {"", "Swish", importSwish},
    {"", "Tanh", import_tanh},
    {"", "Where", import_where},
};

} // namespace

llvm::ArrayRef<ImportDef> elementwiseImports() { return kImports; }

} // namespace autotp

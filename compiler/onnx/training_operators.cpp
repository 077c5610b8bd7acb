// compiler/onnx/training_operators.cpp: operators that onnxruntime writes into training graphs: gradients, each of
// which becomes ours of the same forward operator, and fused operators. They belong to the domain com.microsoft.
#include "compiler/onnx/formula.h"

namespace autotp {
namespace {

/// The incoming gradient must have the type of the value that it belongs to.
llvm::Error expectSameTypes(NodeImport &node) {
  return node.type(0) == node.type(1) ? llvm::Error::success() : node.fail("its operands differ in type");
}

/// Imports a gradient operator of (dy, x) as ours of (x, dy).
llvm::Error swapped(NodeImport &node, llvm::StringRef op, Attributes attributes = {}) {
  if (llvm::Error error = expectSameTypes(node)) return error;
  return node.result(node.make(op, {node[1], node[0]}, std::move(attributes)));
}
llvm::Error importReluGrad(NodeImport &node) { return swapped(node, "relu_grad"); }
llvm::Error importGeluGrad(NodeImport &node) { return swapped(node, "gelu_grad", {{"tanh", int64_t(0)}}); }
llvm::Error importFastGeluGrad(NodeImport &node) { return swapped(node, "gelu_grad", {{"tanh", int64_t(1)}}); }

/// SigmoidGrad(dy, y) = dy * y * (1 - y)
llvm::Error importSigmoidGrad(NodeImport &node) {
  Formula f(node);
  return f.finish(f("mul", {node[0], f("mul", {node[1], f("sub", {f.constant(node[1], 1), node[1]})})}));
}
/// TanhGrad(dy, y) = dy * (1 - y^2)
llvm::Error importTanhGrad(NodeImport &node) {
  Formula f(node);
  return f.finish(f("mul", {node[0], f("sub", {f.constant(node[1], 1), f("mul", {node[1], node[1]})})}));
}

ValueId withBias(Formula &f, NodeImport &node, size_t x) {
  return node.has(x + 1) ? f("add", {node[x], node[x + 1]}) : node[x];
}
template <int64_t kTanh> llvm::Error importBiasGelu(NodeImport &node) {
  Formula f(node);
  return f.finish(f("gelu", {withBias(f, node, 0)}, {{"tanh", kTanh}}));
}
/// BiasGeluGrad_dX(dy, x, bias)
template <int64_t kTanh> llvm::Error importBiasGeluGrad(NodeImport &node) {
  Formula f(node);
  return f.finish(f("gelu_grad", {withBias(f, node, 1), node[0]}, {{"tanh", kTanh}}));
}

/// x * sigmoid(alpha x)
llvm::Error importQuickGelu(NodeImport &node) {
  const double alpha = node.real("alpha", 1.702f);
  if (alpha == 1) return node.result(node.make("silu", {node[0]}));
  Formula f(node);
  return f.finish(f("mul", {node[0], f("sigmoid", {f("mul", {node[0], f.constant(node[0], alpha)})})}));
}
/// QuickGeluGrad(dy, x) = dy * s(z) (1 + z (1 - s(z))), with z = alpha x and the sigmoid s.
llvm::Error importQuickGeluGrad(NodeImport &node) {
  const double alpha = node.real("alpha", 1.702f);
  if (alpha == 1) return swapped(node, "silu_grad");
  Formula f(node);
  ValueId z = f("mul", {node[1], f.constant(node[1], alpha)}), gate = f("sigmoid", {z}), one = f.constant(node[1], 1);
  ValueId slope = f("mul", {gate, f("add", {one, f("mul", {z, f("sub", {one, gate})})})});
  return f.finish(f("mul", {node[0], slope}));
}

/// alpha * op(a) op(b)
llvm::Error importFusedMatMul(NodeImport &node) {
  if (node.integer("transBatchA", 0) || node.integer("transBatchB", 0))
    return node.fail("it transposes a dimension of its batch, which is not supported");
  if (node.type(0).shape.size() < 2 || node.type(1).shape.size() < 2) return node.fail("an operand of it is no matrix");
  Formula f(node);
  ValueId product =
      f("matmul", {node[0], node[1]}, {{"trans_a", node.integer("transA", 0)}, {"trans_b", node.integer("transB", 0)}});
  const double alpha = node.real("alpha", 1);
  return f.finish(alpha == 1 ? product : f("mul", {product, f.constant(product, alpha)}));
}

/// SoftmaxGrad(dy, y), for a softmax over `axis`.
llvm::Error importSoftmaxGrad(NodeImport &node) {
  if (llvm::Error error = expectSameTypes(node)) return error;
  const size_t rank = node.type(1).shape.size();
  auto axis = node.axis(node.integer("axis", -1), rank);
  if (!axis) return axis.takeError();
  Formula f(node);
  auto perm = lastSwapped(rank, *axis);
  return f.finish(f.transpose(f("softmax_grad", {f.transpose(node[1], perm), f.transpose(node[0], perm)}), perm));
}
/// LogSoftmaxGrad(dy, y) = dy - exp(y) sum(dy)
llvm::Error importLogSoftmaxGrad(NodeImport &node) {
  if (llvm::Error error = expectSameTypes(node)) return error;
  auto axis = node.axis(node.integer("axis", -1), node.type(1).shape.size());
  if (!axis) return axis.takeError();
  Formula f(node);
  return f.finish(f("sub", {node[0], f("mul", {f("exp", {node[1]}), f.reduced("reduce_sum", node[0], {*axis})})}));
}

/// NormGrad(dy, x, scale, statistics..): the gradients of x, of the scale and, for a layer norm, of the bias.
llvm::Error importNormGrad(NodeImport &node, llvm::StringRef op, size_t statistics) {
  const Type x = node.type(1);
  auto axis = node.axis(node.integer("axis", -1), x.shape.size());
  if (!axis) return axis.takeError();
  Shape rows(x.shape.begin(), x.shape.begin() + *axis), merged = rows;
  merged.push_back(elementsOf(llvm::ArrayRef<int64_t>(x.shape).drop_front(*axis)));
  Formula f(node);
  llvm::SmallVector<ValueId, 5> operands = {f.reshape(node[1], merged), f.reshape(node[2], {merged.back()})};
  for (size_t k = 0; k < statistics; ++k)
    operands.push_back(f.reshape(node[3 + k], rows));
  operands.push_back(f.reshape(node[0], merged));
  if (llvm::Error error = f.takeError()) return error;
  auto all = node.makeMany(op, operands);
  if (!all) return all.takeError();
  for (size_t j = 0; j < node.numResults() && j < all->size(); ++j)
    if (llvm::Error error = node.result(node.reshape((*all)[j], j == 0 ? x.shape : node.type(2).shape))) return error;
  return llvm::Error::success();
}
llvm::Error importLayerNormGrad(NodeImport &node) { return importNormGrad(node, "layer_norm_grad", 2); }
llvm::Error importRmsNormGrad(NodeImport &node) { return importNormGrad(node, "rms_norm_grad", 1); }

/// The concatenated result, and the length of each operand along the axis.
llvm::Error importConcatTraining(NodeImport &node) {
  auto axis = node.axis(node.integer("axis", 0), node.type(0).shape.size());
  if (!axis) return axis.takeError();
  std::vector<int64_t> lengths;
  for (size_t k = 0; k < node.numOperands(); ++k) {
    if (node.type(k).shape.size() <= size_t(*axis)) return node.fail("its operands differ in rank");
    lengths.push_back(node.type(k).shape[size_t(*axis)]);
  }
  if (llvm::Error error =
          node.result(node.numOperands() == 1 ? llvm::Expected<ValueId>(node[0])
                                              : node.make("concat", node.operands(), {{"axis", *axis}})))
    return error;
  node.results.push_back(node.integerConstant(lengths));
  return llvm::Error::success();
}

/// SliceGrad(dy, shape of x, starts, ends, axes, steps): zeros around dy.
llvm::Error importSliceGrad(NodeImport &node) {
  std::vector<int64_t> all[5];
  for (size_t k = 1; k < 6; ++k) {
    if (k >= 4 && !node.has(k)) continue;
    auto values = node.constantIntegers(k);
    if (!values) return values.takeError();
    all[k - 1] = *values;
  }
  const auto &[shape, starts, ends, axes, steps] = all;
  ValueId dy = node[0];
  if (shape.size() != node.type(0).shape.size() || starts.size() != ends.size() ||
      (node.has(4) && axes.size() != starts.size()))
    return node.fail("its starts, ends and axes do not fit its shape");
  Builder b(node.graph());
  b.origin = node.proto().name();
  for (size_t i = 0; i < starts.size(); ++i) {
    auto axis = node.axis(node.has(4) ? axes[i] : int64_t(i), shape.size());
    if (!axis) return axis.takeError();
    if (i < steps.size() && steps[i] != 1) return node.fail("a slice with steps is not supported");
    const int64_t size = shape[size_t(*axis)];
    const int64_t begin =
        std::clamp<int64_t>(starts[i] < 0 ? starts[i] + size : starts[i], 0, std::max<int64_t>(size, 0));
    Type gap = node.graph().type(dy);
    const int64_t length = gap.shape[size_t(*axis)];
    if (size > kMostElements || begin + length > size) return node.fail("its slice does not fit its shape");
    llvm::SmallVector<ValueId, 3> parts;
    auto zeros = [&](int64_t count) {
      gap.shape[size_t(*axis)] = count;
      if (count > 0) parts.push_back(b.full(gap, 0));
    };
    zeros(begin);
    parts.push_back(dy);
    zeros(size - begin - length);
    if (parts.size() == 1) continue;
    auto joined = node.make("concat", parts, {{"axis", *axis}});
    if (!joined) return joined.takeError();
    dy = *joined;
  }
  if (node.graph().type(dy).shape != Shape(shape.begin(), shape.end())) return node.fail("it is not of its shape");
  node.results.push_back(dy);
  return llvm::Error::success();
}

/// GatherGrad(shape of the table, indices, dy): adds each row of dy to the row that its index names.
llvm::Error importGatherGrad(NodeImport &node) {
  auto shape = node.constantIntegers(0);
  if (!shape) return shape.takeError();
  auto found = node.axis(node.integer("axis", 0), shape->size());
  if (!found) return found.takeError();
  const size_t axis = size_t(*found), extra = node.type(1).shape.size(), rank = shape->size();
  Shape wanted(shape->begin(), shape->begin() + long(axis));
  wanted.append(node.type(1).shape.begin(), node.type(1).shape.end());
  wanted.append(shape->begin() + long(axis) + 1, shape->end());
  if (node.type(2).shape != wanted || isFloat(node.type(1).dtype) || !countElements(*shape))
    return node.fail("its operands do not fit");
  llvm::SmallVector<int64_t, 6> toFront, back; // toFront: from [before.., ids.., after..] to [ids.., before.., after..]
  for (size_t d = 0; d < extra; ++d)
    toFront.push_back(int64_t(axis + d));
  for (size_t d = 0; d < wanted.size(); ++d)
    if (d < axis || d >= axis + extra) toFront.push_back(int64_t(d));
  Shape table = {(*shape)[axis]};
  for (size_t d = 0; d < rank; ++d) {
    if (d != axis) table.push_back((*shape)[d]);
    back.push_back(int64_t(d < axis ? d + 1 : d == axis ? 0 : d));
  }
  Formula f(node);
  ValueId rows = f("scatter_add", {node[1], f.transpose(node[2], toFront)}, {}, Type{node.type(2).dtype, table});
  return f.finish(f.transpose(rows, back));
}

const ImportDef kImports[] = {
    {"com.microsoft", "BiasFastGeluGrad_dX", 2, importBiasGeluGrad<1>},
    {"com.microsoft", "BiasGelu", 2, importBiasGelu<0>},
    {"com.microsoft", "BiasGeluGrad_dX", 2, importBiasGeluGrad<0>},
    {"com.microsoft", "ConcatTraining", 1, importConcatTraining},
    {"com.microsoft", "FastGelu", 1, importBiasGelu<1>},
    {"com.microsoft", "FastGeluGrad", 2, importFastGeluGrad},
    {"com.microsoft", "FusedMatMul", 2, importFusedMatMul},
    {"com.microsoft", "GatherGrad", 3, importGatherGrad},
    {"com.microsoft", "Gelu", 1, importBiasGelu<0>},
    {"com.microsoft", "GeluGrad", 2, importGeluGrad},
    {"com.microsoft", "LayerNormalizationGrad", 5, importLayerNormGrad},
    {"com.microsoft", "LogSoftmaxGrad_13", 2, importLogSoftmaxGrad},
    {"com.microsoft", "QuickGelu", 1, importQuickGelu},
    {"com.microsoft", "QuickGeluGrad", 2, importQuickGeluGrad},
    {"com.microsoft", "ReluGrad", 2, importReluGrad},
    {"com.microsoft", "SigmoidGrad", 2, importSigmoidGrad},
    {"com.microsoft", "SimplifiedLayerNormalizationGrad", 4, importRmsNormGrad},
    {"com.microsoft", "SliceGrad", 4, importSliceGrad},
    {"com.microsoft", "SoftmaxGrad_13", 2, importSoftmaxGrad},
    {"com.microsoft", "TanhGrad", 2, importTanhGrad},
};

} // namespace

llvm::ArrayRef<ImportDef> trainingImports() { return kImports; }

} // namespace autotp

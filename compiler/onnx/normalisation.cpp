// compiler/onnx/normalisation.cpp: normalisation over other dimensions than the last ones.
#include "compiler/onnx/windows.h"

namespace autotp {
namespace {

/// x * scale + bias, with one number of each for each channel.
ValueId scaledByChannel(Formula &f, ValueId x, ValueId scale, ValueId bias) {
  const size_t rank = f.typeOf(x).shape.size();
  return f("add", {f("mul", {x, overChannels(f, scale, rank)}), overChannels(f, bias, rank)});
}

/// [n, g, ..] normalised over all but its first two dimensions.
llvm::Expected<ValueId> normalisedWithin(NodeImport &node, Formula &f, ValueId x, double epsilon) {
  const Type type = f.typeOf(x);
  const int64_t width = elementsOf(llvm::ArrayRef<int64_t>(type.shape).drop_front(2));
  auto one = node.filled({type.dtype, {width}}, 1), zero = node.filled({type.dtype, {width}}, 0);
  ValueId ones = f.taken(std::move(one)), zeros = f.taken(std::move(zero));
  ValueId rows = f.reshape(x, {type.shape[0], type.shape[1], width});
  if (llvm::Error error = f.takeError()) return error;
  auto all = node.makeMany("layer_norm", {rows, ones, zeros}, {{"epsilon", epsilon}});
  if (!all) return all.takeError();
  return f.reshape((*all)[0], type.shape);
}

llvm::Error checkChannels(NodeImport &node, size_t first, size_t last) {
  const Type &x = node.type(0);
  if (x.shape.size() < 2) return node.fail("its operand has no dimension of channels");
  for (size_t k = first; k <= last; ++k)
    if (node.type(k).shape != Shape{x.shape[1]})
      return node.fail("operand " + llvm::Twine(k) + " has no number for each channel");
  return llvm::Error::success();
}

bool isAll(NodeImport &node, size_t k, double value) {
  const Tensor *known = node.constantOrInitializer(node[k]);
  return known && llvm::all_of(toArray(*known).data, [&](double x) { return x == value; });
}

/// Exporters write GroupNorm as a reshape to groups, this operator with ones and zeros, a reshape back, and its own
/// scale and bias.
bool isGroupNorm(NodeImport &node) {
  const Node *reshape = node.graph().producer(node[0]);
  if (!reshape || !reshape->is("reshape")) return false;
  const Shape &from = node.graph().type(reshape->operands[0]).shape;
  return (from.size() < 2 || from[1] != node.type(0).shape[1]) && isAll(node, 1, 1) && isAll(node, 2, 0);
}

llvm::Error importInstanceNorm(NodeImport &node) {
  if (llvm::Error error = checkChannels(node, 1, 2)) return error;
  if (isGroupNorm(node)) node.untrained = {node[1], node[2]};
  Formula f(node);
  auto y = normalisedWithin(node, f, node[0], node.real("epsilon", 1e-5));
  if (!y) return y.takeError();
  return f.finish(scaledByChannel(f, *y, node[1], node[2]));
}

/// Opset 21 has a scale for each channel, opset 18 one for each group.
llvm::Error importGroupNorm(NodeImport &node) {
  const Type x = node.type(0);
  const int64_t groups = node.integer("num_groups", 0), scales = node.type(1).elements();
  if (x.shape.size() < 2 || groups < 1 || x.shape[1] % groups) return node.fail("its channels do not fit its groups");
  if ((scales != groups && scales != x.shape[1]) || node.type(2).shape != node.type(1).shape ||
      node.type(1).shape.size() != 1)
    return node.fail("its scale and bias fit neither its channels nor its groups");
  Formula f(node);
  Shape grouped = {x.shape[0], groups, x.shape[1] / groups};
  grouped.append(x.shape.begin() + 2, x.shape.end());
  auto y = normalisedWithin(node, f, f.reshape(node[0], grouped), node.real("epsilon", 1e-5));
  if (!y) return y.takeError();
  return f.finish(scales == groups ? f.reshape(scaledByChannel(f, *y, node[1], node[2]), x.shape)
                                   : scaledByChannel(f, f.reshape(*y, x.shape), node[1], node[2]));
}

/// Normalises by running statistics; in training mode by those of this rank's batch, as data-parallel PyTorch does.
/// Nothing computes the new running statistics, so a node that reads them is an error.
llvm::Error importBatchNorm(NodeImport &node) {
  if (llvm::Error error = checkChannels(node, 1, 4)) return error;
  const Type x = node.type(0);
  const size_t rank = x.shape.size();
  Formula f(node);
  ValueId mean = kNone, variance = kNone, centred = kNone;
  node.untrained = {node[3], node[4]};
  if (node.integer("training_mode", 0)) {
    node.note = "running statistics of batch normalisation stay as they are: the batch's own are used";
    llvm::SmallVector<int64_t, 6> others = countingUp(rank);
    others.erase(others.begin() + 1);
    const double share = double(x.shape[1]) / double(std::max<int64_t>(x.elements(), 1));
    auto meanOf = [&](ValueId value) {
      return f("mul", {f.reduced("reduce_sum", value, others), f.constant(value, share)});
    };
    mean = meanOf(node[0]);
    centred = f("sub", {node[0], mean});
    variance = meanOf(f("mul", {centred, centred}));
  } else {
    mean = overChannels(f, f.cast(node[3], x.dtype), rank);
    centred = f("sub", {node[0], mean});
    variance = overChannels(f, f.cast(node[4], x.dtype), rank);
  }
  ValueId rstd = f("rsqrt", {f("add", {variance, f.constant(variance, node.real("epsilon", 1e-5))})});
  ValueId scale = f.cast(node[1], x.dtype), bias = f.cast(node[2], x.dtype);
  return f.finish(scaledByChannel(f, f("mul", {centred, rstd}), scale, bias));
}

/// x / (bias + alpha / size * sum over neighbouring channels of x^2)^beta
llvm::Error importLrn(NodeImport &node) {
  const Type x = node.type(0);
  const int64_t size = node.integer("size", 0);
  if (x.shape.size() < 2 || size < 1) return node.fail("its operand has no channels, or its size is no number of them");
  if (llvm::Error error = node.mustHold({x.shape[1], x.shape[1]})) return error;
  Array near(Type{x.dtype, {x.shape[1], x.shape[1]}});
  for (int64_t c = 0; c < x.shape[1]; ++c)
    for (int64_t other = std::max<int64_t>(c - (size - 1) / 2, 0); other <= std::min(c + size / 2, x.shape[1] - 1);
         ++other)
      near.data[size_t(c * x.shape[1] + other)] = 1;
  Formula f(node);
  ValueId sums = combinedAlong(f, node, f("mul", {node[0], node[0]}), 1, near);
  ValueId base = f("add", {f("mul", {sums, f.constant(sums, node.real("alpha", 1e-4) / double(size))}),
                           f.constant(sums, node.real("bias", 1))});
  return f.finish(f("div", {node[0], f("pow", {base, f.constant(base, node.real("beta", 0.75))})}));
}

/// x divided by its norm along a dimension; zeros stay zeros.
llvm::Error importLpNorm(NodeImport &node) {
  auto axis = node.axis(node.integer("axis", -1), node.type(0).shape.size());
  if (!axis) return axis.takeError();
  const int64_t p = node.integer("p", 2);
  if (p != 1 && p != 2) return node.fail("its p is neither 1 nor 2");
  Formula f(node);
  ValueId x = node[0];
  ValueId sum = f.reduced("reduce_sum", p == 2 ? f("mul", {x, x}) : f("abs", {x}), {*axis});
  ValueId safe = f("where", {f("equal", {sum, f.constant(sum, 0)}), f.constant(sum, 1), sum});
  return f.finish(f("div", {x, p == 2 ? f("sqrt", {safe}) : safe}));
}

const ImportDef kImports[] = {
    {"", "BatchNormalization", 5, importBatchNorm, 0, "in training mode new running statistics are not computed"},
    {"", "GroupNormalization", 3, importGroupNorm},
    {"", "InstanceNormalization", 3, importInstanceNorm},
    {"", "LRN", 1, importLrn},
    {"", "LpNormalization", 1, importLpNorm},
};

} // namespace

llvm::ArrayRef<ImportDef> normalisationImports() { return kImports; }

} // namespace autotp

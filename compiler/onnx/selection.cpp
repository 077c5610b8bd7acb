// compiler/onnx/selection.cpp: the places of the largest elements, of elements that are not 0, and of distinct ones.
#include "compiler/onnx/lookups.h"
#include "runtime/base/indexed.h"

#include <algorithm>

namespace autotp {
namespace {

/// The index of the largest element along a dimension, which is kept with size 1; of equal ones the first or the last.
/// Ranks that fall (or rise) along the dimension make it the largest rank among the largest elements.
ValueId bestIndex(Formula &f, NodeImport &node, ValueId x, int64_t axis, bool isLast) {
  const Shape shape = f.typeOf(x).shape;
  Shape places(shape.size(), 1);
  places[axis] = shape[axis];
  Array ranks = toArray(countingTensor(places));
  if (!isLast) std::reverse(ranks.data.begin(), ranks.data.end());
  ValueId isBest = f("equal", {x, f.reduced("reduce_max", x, {axis})});
  ValueId rank = f("where", {isBest, node.constantOf(toTensor(ranks)), node.scalar(DType::I64, 0)});
  ValueId best = f.reduced("reduce_max", rank, {axis});
  return isLast ? best : f("sub", {f.constant(best, double(shape[axis] - 1)), best});
}

llvm::Error importArgBest(NodeImport &node, bool isMax) {
  const Shape shape = node.type(0).shape;
  auto axis = node.axis(node.integer("axis", 0), shape.size());
  if (!axis) return axis.takeError();
  if (shape[*axis] == 0) return node.fail("it chooses among no elements");
  const bool isNarrow = node.type(0).dtype == DType::Bool || node.type(0).dtype == DType::U8;
  Formula f(node);
  ValueId x = isNarrow ? f.cast(node[0], DType::I32) : node[0];
  ValueId best = bestIndex(f, node, isMax ? x : f("neg", {x}), *axis, node.integer("select_last_index", 0));
  Shape kept = shape;
  kept.erase(kept.begin() + *axis);
  return f.finish(node.integer("keepdims", 1) ? best : f.reshape(best, kept));
}
llvm::Error importArgMax(NodeImport &node) { return importArgBest(node, true); }
llvm::Error importArgMin(NodeImport &node) { return importArgBest(node, false); }

/// 1 at the first largest element of each row, and 0 elsewhere.
llvm::Error importHardmax(NodeImport &node) {
  const Shape shape = node.type(0).shape;
  auto axis = node.axis(node.integer("axis", -1), shape.size());
  if (!axis) return axis.takeError();
  Formula f(node);
  Shape places(shape.size(), 1);
  places[*axis] = shape[*axis];
  ValueId isBest = f("equal", {node.constantOf(countingTensor(places)), bestIndex(f, node, node[0], *axis, false)});
  return f.finish(f("where", {isBest, f.constant(node[0], 1), f.constant(node[0], 0)}));
}

/// The indices of elements that are not 0, one row for each dimension.
llvm::Error importNonZero(NodeImport &node) {
  const Tensor *known = node.constant(node[0]);
  if (!known) return node.fail("its operand depends on an input, and so does the size of its result");
  const Array x = toArray(*known);
  const Shape strides = stridesOf(x.type.shape);
  std::vector<int64_t> found;
  for (auto [i, value] : indexed(x.data))
    if (value != 0) found.push_back(int64_t(i));
  Array indices(Type{DType::I64, {int64_t(strides.size()), int64_t(found.size())}});
  for (auto [d, stride] : indexed(strides))
    for (auto [k, at] : indexed(found))
      indices.data[d * found.size() + k] = double(at / stride % x.type.shape[d]);
  return node.result(node.constantOf(toTensor(indices)));
}

/// The slices along `axis`, or the elements, each as a list of numbers.
std::vector<std::vector<double>> slicesOf(const Array &x, std::optional<int64_t> axis) {
  const int64_t count = axis ? x.type.shape[*axis] : int64_t(x.data.size()),
                stride = axis ? stridesOf(x.type.shape)[*axis] : 1;
  std::vector<std::vector<double>> slices(static_cast<size_t>(count));
  for (auto [i, value] : indexed(x.data))
    slices[size_t(int64_t(i) / stride % count)].push_back(value);
  return slices;
}

/// For a constant: its distinct slices, where each occurs first, which of them each slice is, and how often each
/// occurs.
llvm::Error importUnique(NodeImport &node) {
  const Tensor *known = node.constant(node[0]);
  if (!known) return node.fail("its operand depends on an input, and so does the size of its result");
  const int64_t given = node.integer("axis", INT64_MIN);
  std::optional<int64_t> axis;
  if (given != INT64_MIN) {
    auto found = node.axis(given, known->type.shape.size());
    if (!found) return found.takeError();
    axis = *found;
  }
  const auto slices = slicesOf(toArray(*known), axis);
  std::vector<size_t> firsts; // in the order of the results
  for (size_t i = 0; i < slices.size(); ++i)
    if (llvm::none_of(firsts, [&](size_t first) { return slices[first] == slices[i]; })) firsts.push_back(i);
  if (node.integer("sorted", 1)) llvm::sort(firsts, [&](size_t a, size_t b) { return slices[a] < slices[b]; });
  Array places(Type{DType::I64, {int64_t(firsts.size())}}), counts = places;
  Array which(Type{DType::I64, {int64_t(slices.size())}});
  for (auto [k, first] : indexed(firsts))
    places.data[k] = double(first);
  for (size_t i = 0; i < slices.size(); ++i) {
    auto same = llvm::find_if(firsts, [&](size_t first) { return slices[first] == slices[i]; });
    which.data[i] = double(same - firsts.begin());
    ++counts.data[size_t(same - firsts.begin())];
  }
  Formula f(node);
  ValueId data = axis ? node[0] : f.reshape(node[0], {node.type(0).elements()});
  node.results.push_back(chosenAlong(f, node, data, size_t(axis.value_or(0)), places.data));
  for (const Array &array : {places, which, counts})
    node.results.push_back(node.constantOf(toTensor(array)));
  return f.takeError();
}

/// Ones on a diagonal.
llvm::Error importEyeLike(NodeImport &node) {
  const Shape shape = node.type(0).shape;
  auto dtype = dtypeOf(int(node.integer("dtype", onnxTypeOf(node.type(0).dtype))));
  if (!dtype) return node.fail(dtype.takeError());
  if (shape.size() != 2) return node.fail("its operand is no matrix");
  if (llvm::Error error = node.mustHold(shape)) return error;
  Array eye(Type{*dtype, shape});
  for (int64_t row = 0; row < shape[0]; ++row)
    if (int64_t column = row + node.integer("k", 0); column >= 0 && column < shape[1])
      eye.data[size_t(row * shape[1] + column)] = 1;
  return node.result(node.constantOf(toTensor(eye)));
}

/// Reverses the first elements of each sequence of a batch, as many as its length says.
llvm::Error importReverseSequence(NodeImport &node) {
  const Shape shape = node.type(0).shape;
  const int64_t batch = node.integer("batch_axis", 1), time = node.integer("time_axis", 0);
  if (shape.size() < 2 || batch == time || std::min(batch, time) < 0 || std::max(batch, time) > 1 ||
      node.type(1).shape != Shape{shape[batch]})
    return node.fail("its axes or lengths do not fit its operand");
  const Shape space = {shape[0], shape[1]};
  Shape along(2, 1), across(2, 1);
  along[time] = shape[time];
  across[batch] = shape[batch];
  Formula f(node);
  ValueId at = node.constantOf(countingTensor(along)), lengths = f.reshape(f.cast(node[1], DType::I64), across);
  ValueId turned = f("sub", {f("sub", {lengths, f.constant(lengths, 1)}), at});
  ValueId from = f("where", {f("less", {at, lengths}), turned, at});
  if (f.isBroken()) return f.takeError();
  std::vector<Component> components = {counting(space, 0), counting(space, 1)};
  const Tensor *known = node.constant(from);
  components[size_t(time)] = known ? Component{toArray(*known)} : Component{std::nullopt, from};
  return f.finish(atPoints(f, node, node[0], components, space));
}

const ImportDef kImports[] = {
    {"", "ArgMax", 1, importArgMax},
    {"", "ArgMin", 1, importArgMin},
    {"", "EyeLike", 1, importEyeLike},
    {"", "Hardmax", 1, importHardmax},
    {"", "NonZero", 1, importNonZero, 0, "its operand must be known when compiling"},
    {"", "ReverseSequence", 2, importReverseSequence},
    {"", "Unique", 1, importUnique, 0, "its operand must be known when compiling"},
};

} // namespace

llvm::ArrayRef<ImportDef> selectionImports() { return kImports; }

} // namespace autotp

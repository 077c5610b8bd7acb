// compiler/onnx/pooling.cpp: one number for each window. Windows are boxes, so they are reduced one dimension after the
// other: sums by a matrix of ones and zeros, maxima by a comparison for each place.
#include "compiler/onnx/windows.h"
#include "runtime/base/indexed.h"

#include <cmath>
#include <limits>

namespace autotp {
namespace {

llvm::Expected<Window> poolOf(NodeImport &node) {
  auto kernel = node.integers("kernel_shape");
  if (!kernel) return node.fail("it has no kernel_shape");
  return windowOf(node, *kernel, node.integer("ceil_mode", 0));
}

/// A matrix [results, elements] with 1 where a window covers an element along dimension d.
Array coverage(const Window &window, size_t d, int64_t size, DType dtype) {
  Array covered(Type{dtype, {window.result[d], size}});
  for (int64_t i = 0; i < window.result[d]; ++i)
    for (int64_t k = 0; k < window.kernel[d]; ++k) {
      const int64_t at = i * window.strides[d] + k * window.dilations[d] - window.before[d];
      if (at >= 0 && at < size) covered.data[size_t(i * size + at)] = 1;
    }
  return covered;
}

/// The sums over all windows of [n, c, ..].
ValueId summed(Formula &f, NodeImport &node, ValueId x, const Window &window) {
  const Type type = f.typeOf(x);
  for (size_t d = window.dims; d-- > 0;)
    x = combinedAlong(f, node, x, 2 + d, coverage(window, d, type.shape[2 + d], type.dtype));
  return x;
}

/// The number of elements of each window, with or without the padding that was asked for; a single number if all are
/// equal.
Array countsOf(const Window &window, const Shape &x, DType dtype, bool countsPadding) {
  Shape space(window.result.begin(), window.result.end()), strides = stridesOf(space);
  Array counts(Type{dtype, space});
  for (auto [i, count] : indexed(counts.data)) {
    count = 1;
    for (size_t d = 0; d < window.dims; ++d) {
      const int64_t at = int64_t(i) / strides[d] % space[d] * window.strides[d] - window.before[d],
                    first = countsPadding ? -window.before[d] : 0,
                    last = x[2 + d] + (countsPadding ? window.padded[d] : 0);
      int64_t here = 0;
      for (int64_t k = 0; k < window.kernel[d]; ++k)
        here += at + k * window.dilations[d] >= first && at + k * window.dilations[d] < last;
      count *= double(here);
    }
  }
  if (llvm::all_of(counts.data, [&](double count) { return count == counts.data[0]; })) {
    counts.type.shape.clear();
    counts.data.resize(1);
  }
  return counts;
}

llvm::Error checkSpace(NodeImport &node, const Window &window) {
  const Shape x = node.type(0).shape;
  for (size_t d = 0; d < window.dims; ++d)
    if (llvm::Error error = node.mustHold({window.result[d], x[2 + d]})) return error;
  if (llvm::Error error = node.mustHold(window.result)) return error;
  return elementsOf(window.result) == 0 ? node.fail("its result is empty") : llvm::Error::success();
}

llvm::Error importAveragePool(NodeImport &node) {
  auto window = poolOf(node);
  if (!window) return window.takeError();
  if (llvm::Error error = checkSpace(node, *window)) return error;
  const Type x = node.type(0);
  Formula f(node);
  ValueId counts = node.constantOf(toTensor(countsOf(*window, x.shape, x.dtype, node.integer("count_include_pad", 0))));
  return f.finish(f("div", {summed(f, node, node[0], *window), counts}));
}

/// powered() gives |x|^p for each element, rooted() the root of their sum.
ValueId powered(Formula &f, ValueId x, double p) {
  if (p == 2) return f("mul", {x, x});
  ValueId size = f("abs", {x});
  return p == 1 ? size : f("pow", {size, f.constant(size, p)});
}
ValueId rooted(Formula &f, ValueId x, double p) {
  if (p == 1) return x;
  return p == 2 ? f("sqrt", {x}) : f("pow", {x, f.constant(x, 1 / p)});
}

llvm::Error importLpPool(NodeImport &node) {
  auto window = poolOf(node);
  if (!window) return window.takeError();
  if (llvm::Error error = checkSpace(node, *window)) return error;
  const double p = double(node.integer("p", 2));
  if (p < 1) return node.fail("its p is not positive");
  Formula f(node);
  return f.finish(rooted(f, summed(f, node, powered(f, node[0], p), *window), p));
}

/// The largest element of each window so far, and its number in the operand.
struct Best {
  ValueId value, place = kNone;
};

/// Takes the largest elements along one spatial dimension. Of equal ones the first is taken, which alone gets the
/// gradient.
Best bestAlong(Formula &f, NodeImport &node, const Best &x, const Window &window, size_t d, double lowest) {
  Best best;
  for (int64_t k = 0; k < window.kernel[d]; ++k) {
    Best next{placeOf(f, node, x.value, window, d, k, lowest)};
    if (x.place != kNone) next.place = placeOf(f, node, x.place, window, d, k, 0);
    if (k == 0) {
      best = next;
      continue;
    }
    ValueId isBetter = f("greater", {next.value, best.value});
    best.value = f("where", {isBetter, next.value, best.value});
    if (x.place != kNone) best.place = f("where", {isBetter, next.place, best.place});
  }
  return best;
}

/// The number of each element of [n, c, ..] in the whole tensor. If `isColumnMajor`, the first spatial dimension runs
/// fastest within a channel.
Array numbersOf(const Shape &x, bool isColumnMajor) {
  Shape space(x.begin() + 2, x.end()), turned(space.rbegin(), space.rend()), strides = stridesOf(space),
                                                                             own = stridesOf(turned);
  Array numbers(Type{DType::I64, x});
  const int64_t within = elementsOf(space);
  for (auto [i, number] : indexed(numbers.data)) {
    number = double(i);
    if (!isColumnMajor) continue;
    number = double(int64_t(i) - int64_t(i) % within);
    for (size_t d = 0; d < space.size(); ++d)
      number += double(int64_t(i) % within / strides[d] % space[d] * own[space.size() - 1 - d]);
  }
  return numbers;
}

/// The least number of the type.
double lowestOf(DType dtype) {
  if (isFloat(dtype)) return -std::numeric_limits<double>::infinity();
  return dtype == DType::I32 ? double(INT32_MIN) : double(INT64_MIN);
}

llvm::Error importMaxPool(NodeImport &node) {
  auto window = poolOf(node);
  if (!window) return window.takeError();
  constexpr int64_t kMostPlaces = 4096;
  if (llvm::any_of(window->kernel, [](int64_t size) { return size > kMostPlaces; }))
    return node.fail("its window has too many places");
  const Type x = node.type(0);
  Formula f(node);
  Best best{x.dtype == DType::U8 ? f.cast(node[0], DType::I32) : node[0]};
  if (node.numResults() > 1) {
    if (llvm::Error error = node.mustHold(x.shape)) return error;
    best.place = node.constantOf(toTensor(numbersOf(x.shape, node.integer("storage_order", 0))));
  }
  const double lowest = lowestOf(f.typeOf(best.value).dtype);
  for (size_t d = window->dims; d-- > 0;)
    best = bestAlong(f, node, best, *window, d, lowest);
  if (best.place != kNone && f.isBroken(best.value)) return f.takeError();
  ValueId value = f.cast(best.value, x.dtype);
  if (best.place == kNone) return f.finish(value);
  node.results.push_back(value);
  return f.finish(best.place);
}

/// Puts elements back at the places that a MaxPool returned, with zeros elsewhere.
llvm::Error importMaxUnpool(NodeImport &node) {
  auto kernel = node.integers("kernel_shape");
  if (!kernel) return node.fail("it has no kernel_shape");
  auto window = readWindow(node, *kernel);
  if (!window) return window.takeError();
  const Type x = node.type(0);
  Shape shape = {x.shape[0], x.shape[1]};
  for (size_t d = 0; d < window->dims; ++d)
    shape.push_back((x.shape[2 + d] - 1) * window->strides[d] + window->kernel[d] - window->before[d] -
                    window->after[d]);
  Shape wide = shape;
  if (node.has(2)) {
    auto given = node.constantIntegers(2);
    if (!given) return given.takeError();
    wide.assign(given->begin(), given->end());
  }
  if (!countElements(shape) || !countElements(wide) || wide.size() != shape.size() || node.type(1).shape != x.shape)
    return node.fail("its operands do not fit");
  Formula f(node);
  ValueId flat = f("scatter_add", {f.reshape(node[1], {x.elements()}), f.reshape(node[0], {x.elements()})}, {},
                   Type{x.dtype, {elementsOf(shape)}});
  ValueId y = f.reshape(flat, shape);
  for (size_t d = 2; d < shape.size() && !f.isBroken(y); ++d)
    y = f.taken(padded(node, y, int64_t(d), 0, wide[d] - shape[d], 0));
  return f.finish(y);
}

/// All spatial dimensions, which are kept with size 1.
llvm::SmallVector<int64_t, 6> spatialAxes(NodeImport &node) {
  llvm::SmallVector<int64_t, 6> axes;
  for (size_t d = 2; d < node.type(0).shape.size(); ++d)
    axes.push_back(int64_t(d));
  return axes;
}

llvm::Error importGlobalAveragePool(NodeImport &node) {
  const Shape x = node.type(0).shape;
  Formula f(node);
  const int64_t count = elementsOf(llvm::ArrayRef<int64_t>(x).drop_front(std::min<size_t>(2, x.size())));
  ValueId sum = f.reduced("reduce_sum", node[0], spatialAxes(node));
  return f.finish(f("mul", {sum, f.constant(sum, 1.0 / double(std::max<int64_t>(count, 1)))}));
}

llvm::Error importGlobalMaxPool(NodeImport &node) {
  Formula f(node);
  return f.finish(f.reduced("reduce_max", node[0], spatialAxes(node)));
}

llvm::Error importGlobalLpPool(NodeImport &node) {
  const double p = double(node.integer("p", 2));
  if (p < 1) return node.fail("its p is not positive");
  Formula f(node);
  return f.finish(rooted(f, f.reduced("reduce_sum", powered(f, node[0], p), spatialAxes(node)), p));
}

const ImportDef kImports[] = {
    {"", "AveragePool", 1, importAveragePool},
    {"", "GlobalAveragePool", 1, importGlobalAveragePool},
    {"", "GlobalLpPool", 1, importGlobalLpPool},
    {"", "GlobalMaxPool", 1, importGlobalMaxPool},
    {"", "LpPool", 1, importLpPool},
    {"", "MaxPool", 1, importMaxPool},
    {"", "MaxUnpool", 2, importMaxUnpool},
};

} // namespace

llvm::ArrayRef<ImportDef> poolingImports() { return kImports; }

} // namespace autotp

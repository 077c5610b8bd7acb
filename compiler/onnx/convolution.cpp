// compiler/onnx/convolution.cpp: convolutions as matrix products. Windows that do not overlap (the patches of a vision
// transformer) are a reshape; otherwise each place of the window is a slice.
#include "compiler/onnx/windows.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

constexpr int64_t kMostPlaces = 4096; ///< the most places of a window, since each is a node

bool isTiling(const Window &window, const Shape &x) {
  for (size_t d = 0; d < window.dims; ++d)
    if (window.strides[d] != window.kernel[d] || window.dilations[d] != 1 || window.before[d] || window.after[d] ||
        x[2 + d] % window.kernel[d])
      return false;
  return true;
}

/// The windows if they do not overlap: [n, c, (h kh), (w kw)] becomes [n, h, w, c, kh, kw].
ValueId tiles(Formula &f, ValueId x, const Window &window) {
  const Shape from = f.typeOf(x).shape;
  Shape apart = {from[0], from[1]};
  llvm::SmallVector<int64_t, 6> perm = {0};
  for (size_t d = 0; d < window.dims; ++d)
    apart.append({window.result[d], window.kernel[d]});
  for (size_t d = 0; d < window.dims; ++d)
    perm.push_back(int64_t(2 + 2 * d));
  perm.push_back(1);
  for (size_t d = 0; d < window.dims; ++d)
    perm.push_back(int64_t(3 + 2 * d));
  return f.transpose(f.reshape(x, apart), perm);
}

/// The windows in general, [n, h, w, c, places], by a slice for each place. The last place is first if `isTurned`.
ValueId windows(Formula &f, NodeImport &node, ValueId x, const Window &window, bool isTurned) {
  const int64_t places = window.places();
  llvm::SmallVector<ValueId, 9> parts;
  for (int64_t i = 0; i < places; ++i) {
    ValueId part = x;
    int64_t rest = isTurned ? places - 1 - i : i;
    for (size_t d = window.dims; d-- > 0; rest /= window.kernel[d])
      part = placeOf(f, node, part, window, d, rest % window.kernel[d], 0);
    parts.push_back(part);
  }
  llvm::SmallVector<int64_t, 6> perm = {0};
  for (size_t d = 0; d < window.dims; ++d)
    perm.push_back(int64_t(2 + d));
  perm.append({1, int64_t(2 + window.dims)});
  return f.transpose(stacked(f, parts, int64_t(2 + window.dims)), perm);
}

/// Moves the channels of [n, .., o] to [n, o, ..].
ValueId channelsFirst(Formula &f, ValueId y, size_t dims) {
  llvm::SmallVector<int64_t, 6> perm = {0, int64_t(dims + 1)};
  for (size_t d = 0; d < dims; ++d)
    perm.push_back(int64_t(1 + d));
  return f.transpose(y, perm);
}

/// For each group of channels, the product of patches [n, .., c, places] and filters [g, (c places), o].
struct GroupedProduct {
  ValueId patches, filters;
  int64_t groups, channels, results; ///< of all groups together
  int64_t places;
};

/// The product, [n, .., (g o)].
ValueId product(Formula &f, const GroupedProduct &p, const Shape &spatial) {
  const int64_t points = elementsOf(spatial), inner = p.channels / p.groups * p.places;
  const Attributes plain = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}};
  Shape rows = spatial;
  if (p.groups == 1) {
    rows.push_back(inner);
    return f("matmul", {f.reshape(p.patches, rows), f.reshape(p.filters, {inner, p.results})}, plain);
  }
  ValueId left = f.transpose(f.reshape(p.patches, {points, p.groups, inner}), {1, 0, 2});
  rows.push_back(p.results);
  return f.reshape(f.transpose(f("matmul", {left, p.filters}, plain), {1, 0, 2}), rows);
}

/// y[n, .., (g o)] = the sum over c and k of x[n, .., (g c), k] w[(g o), c, k]
llvm::Error importConv(NodeImport &node) {
  const Shape x = node.type(0).shape, w = node.type(1).shape;
  if (w.size() < 3) return node.fail("its filters have no spatial dimension");
  auto window = windowOf(node, llvm::ArrayRef<int64_t>(w).drop_front(2));
  if (!window) return window.takeError();
  const int64_t groups = node.integer("group", 1), places = window->places();
  if (places > kMostPlaces) return node.fail("its window has too many places");
  if (groups < 1 || w[0] % groups || x[1] != groups * w[1]) return node.fail("its channels do not fit its groups");
  Formula f(node);
  ValueId patches = isTiling(*window, x) ? tiles(f, node[0], *window) : windows(f, node, node[0], *window, false);
  ValueId filters = groups == 1 ? f.transpose(f.reshape(node[1], {w[0], w[1] * places}), {1, 0})
                                : f.transpose(f.reshape(node[1], {groups, w[0] / groups, w[1] * places}), {0, 2, 1});
  Shape spatial = {x[0]};
  spatial.append(window->result);
  ValueId y = product(f, {patches, filters, groups, x[1], w[0], places}, spatial);
  if (node.has(2)) y = f("add", {y, node[2]});
  return f.finish(channelsFirst(f, y, window->dims));
}

/// How much larger the result of a ConvTranspose is at its ends, and how much of it is removed.
struct Widening {
  std::vector<int64_t> extra, cutBefore, cutAfter;
};

llvm::Expected<Widening> wideningOf(NodeImport &node, const Window &window) {
  const Shape x = node.type(0).shape;
  const std::vector<int64_t> none(window.dims, 0);
  Widening w{node.integers("output_padding").value_or(none), {}, {}};
  const auto wanted = node.integers("output_shape");
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const bool isSame = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (w.extra.size() != window.dims || (wanted && wanted->size() < window.dims))
    return node.fail("its output_padding or output_shape does not fit its operand");
  for (size_t d = 0; d < window.dims; ++d) {
    const int64_t whole = window.strides[d] * (x[2 + d] - 1) + window.reach(d) + w.extra[d];
    int64_t size = whole - window.before[d] - window.padded[d];
    if (wanted)
      size = (*wanted)[wanted->size() - window.dims + d];
    else if (isSame)
      size = x[2 + d] * window.strides[d];
    if (w.extra[d] < 0 || w.extra[d] > kMostPlaces || size < 1 || size > whole + window.before[d] + kMostPlaces)
      return node.fail("its result's dimension " + llvm::Twine(d) + " is out of range");
    const int64_t cut = whole - size, both = std::max<int64_t>(cut, 0),
                  half = both / 2; // an odd rest goes to the end
    const bool isGiven = !wanted && !isSame;
    w.cutBefore.push_back(isGiven ? window.before[d] : automatic == "SAME_UPPER" ? half : both - half);
    w.cutAfter.push_back(cut - w.cutBefore[d]);
  }
  return w;
}

/// If strides equal the kernel, results do not overlap, so [n, h, w, (o kh kw)] is only rearranged.
ValueId untiled(Formula &f, ValueId y, const Window &window, int64_t results) {
  Shape apart = f.typeOf(y).shape, merged = {f.typeOf(y).shape[0], results};
  apart.pop_back();
  apart.push_back(results);
  apart.append(window.kernel.begin(), window.kernel.end());
  llvm::SmallVector<int64_t, 6> perm = {0, int64_t(window.dims + 1)};
  for (size_t d = 0; d < window.dims; ++d) {
    perm.append({int64_t(1 + d), int64_t(2 + window.dims + d)});
    merged.push_back(apart[1 + d] * window.kernel[d]);
  }
  return f.reshape(f.transpose(f.reshape(y, apart), perm), merged);
}

/// The gradient of a convolution for its operand: a convolution of the operand, with zeros between its elements, by
/// reversed filters. x is [n, (g c), ..], w is [(g c), o, k].
llvm::Error importConvTranspose(NodeImport &node) {
  const Shape x = node.type(0).shape, w = node.type(1).shape;
  const int64_t groups = node.integer("group", 1);
  if (x.size() < 3 || w.size() != x.size()) return node.fail("its operands differ in rank, or are not spatial");
  if (groups < 1 || x[1] != w[0] || x[1] % groups) return node.fail("its channels do not fit its groups");
  auto window = readWindow(node, llvm::ArrayRef<int64_t>(w).drop_front(2));
  if (!window) return window.takeError();
  auto widening = wideningOf(node, *window);
  if (!widening) return widening.takeError();
  const int64_t places = window->places(), results = groups * w[1];
  if (places > kMostPlaces) return node.fail("its window has too many places");
  Formula f(node);
  auto isPlain = [&](size_t d) {
    return window->strides[d] == window->kernel[d] && window->dilations[d] == 1 && !widening->extra[d] &&
           !widening->cutBefore[d] && !widening->cutAfter[d];
  };
  const auto dims = countingUp(window->dims);
  ValueId bias = node.has(2) ? overChannels(f, node[2], x.size()) : kNone, y = kNone;
  if (groups == 1 && llvm::all_of(dims, isPlain)) {
    llvm::SmallVector<int64_t, 6> last = {0};
    for (size_t d = 2; d < x.size(); ++d)
      last.push_back(int64_t(d));
    last.push_back(1);
    ValueId rows = f.transpose(node[0], last);
    y = f("matmul", {rows, f.reshape(node[1], {w[0], w[1] * places})},
          {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
    y = f.isBroken(y) ? kNone : untiled(f, y, *window, results);
  } else {
    ValueId wide = node[0];
    Shape spatial = {x[0]};
    for (size_t d = 0; d < window->dims; ++d) {
      wide = spaced(f, node, wide, int64_t(2 + d), window->strides[d]);
      window->before[d] = window->reach(d) - 1 - widening->cutBefore[d];
      window->after[d] = window->reach(d) - 1 - widening->cutAfter[d] + widening->extra[d];
      window->result[d] =
          window->strides[d] * (x[2 + d] - 1) + 1 + window->before[d] + window->after[d] - window->reach(d) + 1;
      spatial.push_back(window->result[d]);
    }
    window->strides.assign(window->dims, 1);
    ValueId patches = windows(f, node, wide, *window, true);
    ValueId filters = f.transpose(f.reshape(node[1], {groups, w[0] / groups, w[1], places}), {0, 1, 3, 2});
    filters = f.reshape(filters, {groups, w[0] / groups * places, w[1]});
    y = channelsFirst(f, product(f, {patches, filters, groups, x[1], results, places}, spatial), window->dims);
  }
  return f.finish(bias == kNone ? y : f("add", {y, bias}));
}

const ImportDef kImports[] = {
    {"", "Conv", 2, importConv},
    {"", "ConvTranspose", 2, importConvTranspose},
};

} // namespace

llvm::ArrayRef<ImportDef> convolutionImports() { return kImports; }

} // namespace autotp

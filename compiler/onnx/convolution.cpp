// compiler/onnx/convolution.cpp: convolutions as matrix products. Where windows do not overlap (the patches of a vision
// transformer) a reshape finds them; else each place of the window is a slice.
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

struct Window {
  size_t dims; ///< spatial ones
  std::vector<int64_t> kernel, strides, dilations, before, after;
  Shape result; ///< spatial sizes
};

llvm::Expected<Window> windowOf(NodeImport &node) {
  const Shape x = node.type(0).shape, w = node.type(1).shape;
  if (x.size() < 3 || w.size() != x.size())
    return node.fail("its operands differ in rank, or have no spatial dimension");
  Window window{x.size() - 2, {w.begin() + 2, w.end()}, {}, {}, {}, {}, {}};
  const std::vector<int64_t> ones(window.dims, 1), none(2 * window.dims, 0);
  window.strides = node.integers("strides").value_or(ones);
  window.dilations = node.integers("dilations").value_or(ones);
  std::vector<int64_t> pads = node.integers("pads").value_or(none);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const bool isSame = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (automatic != "NOTSET" && automatic != "VALID" && !isSame)
    return node.fail("auto_pad " + automatic + " is not known");
  if (window.strides.size() != window.dims || window.dilations.size() != window.dims || pads.size() != 2 * window.dims)
    return node.fail("its strides, dilations or pads do not fit its operand");
  for (size_t d = 0; d < window.dims; ++d) {
    if (isSame && window.strides[d] > 0) { // a result for each stride; what is odd goes to the end, or to the front
      int64_t results = (x[2 + d] + window.strides[d] - 1) / window.strides[d],
              reach = (window.kernel[d] - 1) * window.dilations[d] + 1,
              total = std::max<int64_t>((results - 1) * window.strides[d] + reach - x[2 + d], 0);
      pads[d] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[d + window.dims] = total - pads[d];
    }
    window.before.push_back(pads[d]);
    window.after.push_back(pads[d + window.dims]);
    constexpr int64_t kMost = 1 << 20;
    for (int64_t value :
         {window.strides[d], window.dilations[d], window.kernel[d], pads[d] + 1, pads[d + window.dims] + 1})
      if (value < 1 || value > kMost) return node.fail("its strides, dilations, pads or kernel are out of range");
    int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1,
            size = x[2 + d] + window.before[d] + window.after[d];
    if (size < reach) return node.fail("its window is larger than its operand");
    window.result.push_back((size - reach) / window.strides[d] + 1);
  }
  return window;
}

bool isTiling(const Window &window, const Shape &x) {
  for (size_t d = 0; d < window.dims; ++d)
    if (window.strides[d] != window.kernel[d] || window.dilations[d] != 1 || window.before[d] || window.after[d] ||
        x[2 + d] % window.kernel[d])
      return false;
  return true;
}

/// [n, c, (h kh), (w kw)] -> [n, h, w, c, kh, kw]
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

/// The same for any window: a slice for each of its places, [n, h, w, c, places].
ValueId windows(Formula &f, NodeImport &node, ValueId x, const Window &window) {
  for (size_t d = 0; d < window.dims; ++d)
    if (!f.isBroken(x)) x = f.taken(padded(node, x, int64_t(2 + d), window.before[d], window.after[d], 0));
  const int64_t places = elementsOf(window.kernel);
  llvm::SmallVector<ValueId, 9> parts;
  for (int64_t place = 0; place < places; ++place) {
    ValueId part = x;
    int64_t rest = place;
    for (size_t d = window.dims; d-- > 0; rest /= window.kernel[d])
      part = f.slice(part, int64_t(2 + d), rest % window.kernel[d] * window.dilations[d], window.result[d],
                     window.strides[d]);
    Shape apart = f.typeOf(part).shape;
    apart.push_back(1);
    parts.push_back(f.reshape(part, apart));
  }
  ValueId all = parts.size() == 1 ? parts[0] : f("concat", parts, {{"axis", int64_t(2 + window.dims)}});
  llvm::SmallVector<int64_t, 6> perm = {0};
  for (size_t d = 0; d < window.dims; ++d)
    perm.push_back(int64_t(2 + d));
  perm.append({1, int64_t(2 + window.dims)});
  return f.transpose(all, perm);
}

/// y[n, .., (g o)] = x[n, .., (g c), k] w[(g o), c, k]
llvm::Error importConv(NodeImport &node) {
  auto window = windowOf(node);
  if (!window) return window.takeError();
  const Shape x = node.type(0).shape, w = node.type(1).shape;
  const int64_t groups = node.integer("group", 1), places = elementsOf(window->kernel),
                points = elementsOf(window->result);
  constexpr int64_t kMostPlaces = 4096;
  if (places > kMostPlaces) return node.fail("its window has too many places");
  if (groups < 1 || w[0] % groups || x[1] != groups * w[1]) return node.fail("its channels do not fit its groups");
  Formula f(node);
  ValueId patches = isTiling(*window, x) ? tiles(f, node[0], *window) : windows(f, node, node[0], *window);
  Shape spatial = {x[0]};
  spatial.append(window->result);
  ValueId y;
  if (groups == 1) {
    Shape rows = spatial;
    rows.push_back(x[1] * places);
    ValueId filters = f.transpose(f.reshape(node[1], {w[0], x[1] * places}), {1, 0});
    y = f("matmul", {f.reshape(patches, rows), filters}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
  } else { // [g, points, (c k)] x [g, (c k), o] -> [n, .., g, o]
    ValueId left = f.transpose(f.reshape(patches, {x[0] * points, groups, w[1] * places}), {1, 0, 2});
    ValueId right = f.transpose(f.reshape(node[1], {groups, w[0] / groups, w[1] * places}), {0, 2, 1});
    ValueId product = f("matmul", {left, right}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
    Shape rows = spatial;
    rows.push_back(w[0]);
    y = f.reshape(f.transpose(product, {1, 0, 2}), rows);
  }
  if (node.has(2)) y = f("add", {y, node[2]});
  llvm::SmallVector<int64_t, 6> perm = {0, int64_t(window->dims + 1)};
  for (size_t d = 0; d < window->dims; ++d)
    perm.push_back(int64_t(1 + d));
  return f.finish(f.transpose(y, perm));
}

const ImportDef kImports[] = {{"", "Conv", 2, importConv}};

} // namespace

llvm::ArrayRef<ImportDef> convolutionImports() { return kImports; }

} // namespace autotp

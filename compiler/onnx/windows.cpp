#include "compiler/onnx/windows.h"

#include "runtime/base/indexed.h"

namespace autotp {
namespace {

constexpr int64_t kMost = 1 << 20; ///< the largest stride, dilation, kernel size or padding

/// Pads so that there is one result for each stride. If the padding is odd, its rest goes to the end (`isUpper`) or to
/// the front.
void padAutomatically(Window &window, size_t d, int64_t size, bool isUpper) {
  const int64_t results = (size + window.strides[d] - 1) / window.strides[d],
                total = std::max<int64_t>((results - 1) * window.strides[d] + window.reach(d) - size, 0);
  window.before[d] = isUpper ? total / 2 : total - total / 2;
  window.after[d] = total - window.before[d];
}

} // namespace

llvm::Expected<Window> readWindow(NodeImport &node, llvm::ArrayRef<int64_t> kernel) {
  if (node.type(0).shape.size() < 3 || kernel.size() != node.type(0).shape.size() - 2)
    return node.fail("its operands differ in rank, or have no spatial dimension");
  Window window{kernel.size(), kernel.vec(), {}, {}, {}, {}, {}, {}};
  const std::vector<int64_t> ones(window.dims, 1), none(2 * window.dims, 0);
  window.strides = node.integers("strides").value_or(ones);
  window.dilations = node.integers("dilations").value_or(ones);
  const std::vector<int64_t> pads = node.integers("pads").value_or(none);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID" && automatic != "SAME_UPPER" && automatic != "SAME_LOWER")
    return node.fail("auto_pad " + automatic + " is not known");
  if (window.strides.size() != window.dims || window.dilations.size() != window.dims || pads.size() != 2 * window.dims)
    return node.fail("its strides, dilations or pads do not fit its operand");
  const auto after = pads.begin() + ptrdiff_t(window.dims);
  window.before.assign(pads.begin(), after);
  window.after.assign(after, pads.end());
  for (size_t d = 0; d < window.dims; ++d)
    for (int64_t value :
         {window.strides[d], window.dilations[d], window.kernel[d], window.before[d] + 1, window.after[d] + 1})
      if (value < 1 || value > kMost) return node.fail("its strides, dilations, pads or kernel are out of range");
  window.padded = window.after;
  window.result.assign(window.dims, 0);
  return window;
}

llvm::Expected<Window> windowOf(NodeImport &node, llvm::ArrayRef<int64_t> kernel, bool reachesBeyond) {
  llvm::Expected<Window> read = readWindow(node, kernel);
  if (!read) return read.takeError();
  Window &window = *read;
  const Shape x = node.type(0).shape;
  const std::string automatic = node.text("auto_pad", "NOTSET");
  for (size_t d = 0; d < window.dims; ++d) {
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER")
      padAutomatically(window, d, x[2 + d], automatic == "SAME_UPPER");
    window.padded[d] = window.after[d];
    const int64_t size = x[2 + d] + window.before[d] + window.after[d], free = size - window.reach(d);
    if (free < 0) return node.fail("its window is larger than its operand");
    int64_t &results = window.result[d] = free / window.strides[d] + 1;
    if (reachesBeyond && free % window.strides[d] && results * window.strides[d] < x[2 + d] + window.before[d])
      ++results;
    const int64_t used = (results - 1) * window.strides[d] + window.reach(d) - window.before[d];
    window.after[d] = std::max(window.after[d], used - x[2 + d]);
  }
  return read;
}

ValueId overChannels(Formula &f, ValueId vector, size_t rank) {
  Shape shape = f.typeOf(vector).shape;
  shape.resize(std::max<size_t>(rank, 2) - 1, 1);
  return f.reshape(vector, shape);
}

ValueId placeOf(Formula &f, NodeImport &node, ValueId x, const Window &window, size_t d, int64_t k, double outside) {
  if (f.isBroken(x)) return kNone;
  const int64_t axis = int64_t(2 + d), size = f.typeOf(x).shape[axis], step = window.strides[d],
                first = k * window.dilations[d] - window.before[d]; // in the first window; negative for padding
  const int64_t results = window.result[d], missing = std::clamp<int64_t>((step - 1 - first) / step, 0, results);
  const int64_t before = first >= 0 ? 0 : missing, from = first + before * step;
  const int64_t inside = from >= size ? 0 : std::min(results - before, (size - from + step - 1) / step);
  ValueId part = inside > 0 ? f.slice(x, axis, from, inside, step) : f.slice(x, axis, 0, 0);
  return f.isBroken(part) ? kNone : f.taken(padded(node, part, axis, before, results - before - inside, outside));
}

ValueId spaced(Formula &f, NodeImport &node, ValueId x, int64_t axis, int64_t step) {
  Shape shape = f.typeOf(x).shape;
  if (step == 1 || f.isBroken(x) || shape[axis] < 2) return x;
  const int64_t size = shape[axis] - 1; // the last one stands alone
  shape[axis] = size;
  shape.insert(shape.begin() + axis + 1, 1);
  Type gap{f.typeOf(x).dtype, shape};
  gap.shape[axis + 1] = step - 1;
  ValueId zeros = f.taken(node.filled(gap, 0));
  ValueId both = f("concat", {f.reshape(f.slice(x, axis, 0, size), shape), zeros}, {{"axis", axis + 1}});
  shape.erase(shape.begin() + axis + 1);
  shape[axis] = size * step;
  return f("concat", {f.reshape(both, shape), f.slice(x, axis, size, 1)}, {{"axis", axis}});
}

ValueId combinedAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, const Array &matrix) {
  const Shape shape = f.typeOf(x).shape;
  const int64_t rows = matrix.type.shape[0], columns = matrix.type.shape[1],
                behind = elementsOf(llvm::ArrayRef<int64_t>(shape).drop_front(axis + 1));
  Shape result = shape, before(shape.begin(), shape.begin() + axis);
  result[axis] = rows;
  ValueId weights = node.constantOf(toTensor(matrix));
  if (behind == 1) {
    before.push_back(columns);
    ValueId in = before.size() == 1 ? f.reshape(x, {1, columns}) : f.reshape(x, before);
    return f.reshape(f("matmul", {in, weights}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(1)}}), result);
  }
  before.append({columns, behind});
  return f.reshape(f("matmul", {weights, f.reshape(x, before)}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}}),
                   result);
}

} // namespace autotp

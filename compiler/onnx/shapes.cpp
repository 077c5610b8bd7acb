// compiler/onnx/shapes.cpp: operators that move elements.
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

std::vector<int64_t> firstDimensions(size_t count) {
  auto numbers = countingUp(count);
  return {numbers.begin(), numbers.end()};
}

llvm::Error importReshape(NodeImport &node) {
  auto wanted = node.constantIntegers(1);
  if (!wanted) return wanted.takeError();
  const Type from = node.type(0);
  bool keepsZero = node.integer("allowzero", 0);
  int64_t known = 1, unknown = -1;
  Shape shape;
  for (auto [d, size] : indexed(*wanted)) {
    int64_t value = size;
    if (value == 0 && !keepsZero) {
      if (d >= from.shape.size())
        return node.fail("it copies dimension " + llvm::Twine(d) + ", which its operand lacks");
      value = from.shape[d];
    }
    if (value == -1 && unknown >= 0) return node.fail("two of its dimensions are -1");
    if (value < -1) return node.fail("a dimension of it is " + llvm::Twine(value));
    if (value == -1) unknown = int64_t(d);
    if (value > 0 && known > kMostElements / value) return node.fail("its shape is too large");
    known *= value == -1 ? 1 : value;
    shape.push_back(value);
  }
  if (unknown >= 0) {
    if (known == 0 || from.elements() % known) return node.fail("it cannot find its dimension that is -1");
    shape[unknown] = from.elements() / known;
  }
  return node.result(node.reshape(node[0], shape));
}

llvm::Error importTranspose(NodeImport &node) {
  size_t rank = node.type(0).shape.size();
  llvm::SmallVector<int64_t, 6> perm;
  if (auto given = node.integers("perm"))
    perm.assign(given->begin(), given->end());
  else
    for (size_t d = rank; d-- > 0;)
      perm.push_back(int64_t(d));
  return node.result(node.make("transpose", {node[0]}, {{"perm", perm}}));
}

llvm::Expected<std::vector<int64_t>> axesOperand(NodeImport &node) {
  return node.constantIntegersOr(1, node.integers("axes").value_or(std::vector<int64_t>()));
}

llvm::Error importSqueeze(NodeImport &node) {
  auto given = axesOperand(node);
  if (!given) return given.takeError();
  const Shape from = node.type(0).shape;
  llvm::SmallVector<bool, 6> isGone(from.size(), false);
  for (int64_t axis : *given) {
    auto d = node.axis(axis, from.size());
    if (!d) return d.takeError();
    if (from[*d] != 1) return node.fail("dimension " + llvm::Twine(*d) + " is not 1");
    isGone[*d] = true;
  }
  Shape shape;
  for (size_t d = 0; d < from.size(); ++d)
    if (!(isGone[d] || (given->empty() && from[d] == 1))) shape.push_back(from[d]);
  return node.result(node.reshape(node[0], shape));
}

llvm::Error importUnsqueeze(NodeImport &node) {
  auto given = axesOperand(node);
  if (!given) return given.takeError();
  const Shape from = node.type(0).shape;
  size_t rank = from.size() + given->size(), next = 0;
  llvm::SmallVector<bool, 6> isNew(rank, false);
  for (int64_t axis : *given) {
    auto d = node.axis(axis, rank);
    if (!d) return d.takeError();
    if (isNew[*d]) return node.fail("it adds dimension " + llvm::Twine(*d) + " twice");
    isNew[*d] = true;
  }
  Shape shape;
  for (size_t d = 0; d < rank; ++d)
    shape.push_back(isNew[d] ? 1 : from[next++]);
  return node.result(node.reshape(node[0], shape));
}

llvm::Error importFlatten(NodeImport &node) {
  const Shape from = node.type(0).shape;
  int64_t axis = node.integer("axis", 1);
  if (axis < 0) axis += int64_t(from.size());
  if (axis < 0 || axis > int64_t(from.size())) return node.fail("it has no dimension " + llvm::Twine(axis));
  int64_t outer = elementsOf(llvm::ArrayRef<int64_t>(from).take_front(axis));
  return node.result(node.reshape(node[0], {outer, outer ? node.type(0).elements() / outer : 0}));
}

llvm::Error importExpand(NodeImport &node) {
  auto wanted = node.constantIntegers(1);
  if (!wanted) return wanted.takeError();
  const Shape from = node.type(0).shape;
  Shape shape(std::max(wanted->size(), from.size()), 1);
  for (size_t d = 0; d < shape.size(); ++d) { // in both directions: a 1 in the target keeps the operand's size
    int64_t a = d < from.size() ? from[from.size() - 1 - d] : 1,
            b = d < wanted->size() ? (*wanted)[wanted->size() - 1 - d] : 1;
    if (b < 0) return node.fail("a dimension of it is " + llvm::Twine(b));
    shape[shape.size() - 1 - d] = b == 1 ? a : b;
  }
  if (shape == from) return node.result(node[0]);
  return node.result(node.make("expand", {node[0]}, {}, Type{node.type(0).dtype, shape}));
}

llvm::Expected<ValueId> steppedBack(NodeImport &node, ValueId x, int64_t axis, int64_t start, int64_t end,
                                    int64_t step) {
  const int64_t size = node.graph().type(x).shape[axis];
  auto bounded = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, -1, size - 1); };
  std::vector<double> indices;
  int64_t last = end < -size ? -1 : bounded(end); // an end far below 0 includes the first element
  step = std::max(step, -std::max<int64_t>(size, 1));
  for (int64_t at = bounded(start); at > last; at += step)
    indices.push_back(double(at));
  Formula f(node);
  ValueId turned = chosenAlong(f, node, x, size_t(axis), indices);
  if (llvm::Error error = f.takeError()) return error;
  return turned;
}

llvm::Error importSlice(NodeImport &node) {
  auto starts = node.constantIntegers(1);
  if (!starts) return starts.takeError();
  auto ends = node.constantIntegers(2);
  if (!ends) return ends.takeError();
  const size_t count = starts->size();
  auto axes = node.constantIntegersOr(3, firstDimensions(count));
  if (!axes) return axes.takeError();
  auto steps = node.constantIntegersOr(4, std::vector<int64_t>(count, 1));
  if (!steps) return steps.takeError();
  if (ends->size() != count || axes->size() != count || steps->size() != count)
    return node.fail("its starts, ends, axes and steps differ in length");
  ValueId x = node[0];
  for (size_t i = 0; i < count; ++i) {
    auto axis = node.axis((*axes)[i], node.type(0).shape.size());
    if (!axis) return axis.takeError();
    int64_t size = node.graph().type(x).shape[*axis], step = (*steps)[i];
    if (step < 0) { // from the last element down: elements that constant indices select
      auto sliced = steppedBack(node, x, *axis, (*starts)[i], (*ends)[i], step);
      if (!sliced) return sliced.takeError();
      x = *sliced;
      continue;
    }
    if (step == 0) return node.fail("its step is 0");
    auto bounded = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    int64_t begin = bounded((*starts)[i]), end = std::max(begin, bounded((*ends)[i]));
    auto sliced = node.slice(x, *axis, begin, end == begin ? 0 : (end - begin - 1) / step + 1,
                             std::min(step, std::max<int64_t>(size, 1)));
    if (!sliced) return sliced.takeError();
    x = *sliced;
  }
  return node.result(x);
}

llvm::Error importSplit(NodeImport &node) {
  auto axis = node.axis(node.integer("axis", 0), node.type(0).shape.size());
  if (!axis) return axis.takeError();
  int64_t size = node.type(0).shape[*axis], parts = int64_t(node.numResults());
  if (parts == 0 || node.integer("num_outputs", parts) != parts)
    return node.fail("num_outputs differs from the number of its results");
  std::vector<int64_t> equal;
  int64_t each = (size + parts - 1) / parts, at = 0;
  for (int64_t i = 0; i < parts; ++i)
    equal.push_back(std::clamp<int64_t>(size - i * each, 0, each));
  auto lengths = node.constantIntegersOr(1, equal);
  if (!lengths) return lengths.takeError();
  if (int64_t(lengths->size()) != parts) return node.fail("it has another number of results than of parts");
  for (int64_t length : *lengths) {
    if (length < 0 || length > size - at) return node.fail("its parts do not fit dimension " + llvm::Twine(*axis));
    if (llvm::Error error = node.result(node.slice(node[0], *axis, at, length))) return error;
    at += length;
  }
  if (at != size) return node.fail("its parts leave out the end of dimension " + llvm::Twine(*axis));
  return llvm::Error::success();
}

llvm::Error importConcat(NodeImport &node) {
  auto axis = node.axis(node.integer("axis", 0), node.type(0).shape.size());
  if (!axis) return axis.takeError();
  if (node.operands().size() == 1) return node.result(node[0]);
  return node.result(node.make("concat", node.operands(), {{"axis", *axis}}));
}

} // namespace

llvm::Expected<ValueId> padded(NodeImport &node, ValueId x, int64_t axis, int64_t before, int64_t after, double value) {
  if (std::max(before, after) > kMostElements) return node.fail("its padding is too large");
  int64_t size = node.graph().type(x).shape[axis];
  if (before < -size || after < -size || size + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0) < 0)
    return node.fail("its padding does not fit dimension " + llvm::Twine(axis));
  int64_t cut = std::max<int64_t>(-before, 0);
  auto sliced = node.slice(x, axis, cut, size - cut - std::max<int64_t>(-after, 0));
  if (!sliced) return sliced.takeError();
  llvm::SmallVector<ValueId, 3> parts;
  auto addFill = [&](int64_t length) -> llvm::Error {
    if (length <= 0) return llvm::Error::success();
    Type fill = node.graph().type(*sliced);
    fill.shape[axis] = length;
    auto constant = node.filled(fill, value);
    if (!constant) return constant.takeError();
    parts.push_back(*constant);
    return llvm::Error::success();
  };
  if (llvm::Error error = addFill(before)) return error;
  parts.push_back(*sliced);
  if (llvm::Error error = addFill(after)) return error;
  return parts.size() == 1 ? *sliced : node.make("concat", parts, {{"axis", axis}});
}

namespace {

/// Fills the padding with elements of the operand.
llvm::Expected<ValueId> paddedFromWithin(NodeImport &node, ValueId x, int64_t axis, int64_t before, int64_t after,
                                         llvm::StringRef mode) {
  const int64_t size = node.graph().type(x).shape[axis];
  if (size == 0 || std::max(before, after) > kMostElements || size + before + after < 0)
    return node.fail("its padding does not fit dimension " + llvm::Twine(axis));
  if (llvm::Error error = node.mustHold({size + before + after}, 2)) return error;
  const int64_t period = mode == "reflect" ? std::max<int64_t>(2 * (size - 1), 1) : size;
  std::vector<double> indices;
  for (int64_t i = -before; i < size + after; ++i) {
    int64_t at = (i % period + period) % period;
    if (mode == "reflect") at = std::min(at, period - at);
    indices.push_back(double(mode == "edge" ? std::clamp<int64_t>(i, 0, size - 1) : std::min(at, size - 1)));
  }
  Formula f(node);
  ValueId result = chosenAlong(f, node, x, size_t(axis), indices);
  if (llvm::Error error = f.takeError()) return error;
  return result;
}

/// Padding with a constant is a concat with constants; negative padding is a slice.
llvm::Error importPad(NodeImport &node) {
  const std::string mode = node.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return node.fail("mode " + mode + " is not known");
  auto pads = node.constantIntegers(1);
  if (!pads) return pads.takeError();
  double value = 0;
  if (node.has(2)) {
    const Tensor *constant = node.constantOrInitializer(node[2]);
    if (!constant || constant->type.elements() != 1) return node.fail("its value must be a constant scalar");
    value = toArray(*constant).data[0];
  }
  const size_t rank = node.type(0).shape.size();
  auto axes = node.constantIntegersOr(3, firstDimensions(rank));
  if (!axes) return axes.takeError();
  if (pads->size() != 2 * axes->size()) return node.fail("its pads do not fit its axes");
  ValueId x = node[0];
  for (auto [i, given] : indexed(*axes)) {
    auto axis = node.axis(given, rank);
    if (!axis) return axis.takeError();
    const int64_t before = (*pads)[i], after = (*pads)[i + axes->size()];
    if (before == 0 && after == 0) continue;
    auto result = mode == "constant" ? padded(node, x, *axis, before, after, value)
                                     : paddedFromWithin(node, x, *axis, before, after, mode);
    if (!result) return result.takeError();
    x = *result;
  }
  return node.result(x);
}

/// Moves blocks of channels to space: [n, (b b c) or (c b b), h, w] becomes [n, c, (h b), (w b)].
llvm::Error importDepthToSpace(NodeImport &node) {
  const Shape x = node.type(0).shape;
  const int64_t b = node.integer("blocksize", 0);
  if (x.size() != 4 || b < 1 || b > x[1] || x[1] % (b * b)) return node.fail("its channels do not fit its blocks");
  const int64_t c = x[1] / (b * b);
  const bool isBlockFirst = node.text("mode", "DCR") == "DCR";
  Formula f(node);
  Shape apart = isBlockFirst ? Shape{x[0], b, b, c, x[2], x[3]} : Shape{x[0], c, b, b, x[2], x[3]};
  llvm::SmallVector<int64_t, 6> perm = {0, 1, 4, 2, 5, 3};
  if (isBlockFirst) perm = {0, 3, 4, 1, 5, 2};
  return f.finish(f.reshape(f.transpose(f.reshape(node[0], apart), perm), {x[0], c, x[2] * b, x[3] * b}));
}

/// The inverse of importDepthToSpace().
llvm::Error importSpaceToDepth(NodeImport &node) {
  const Shape x = node.type(0).shape;
  const int64_t b = node.integer("blocksize", 0);
  if (x.size() != 4 || b < 1 || x[2] % b || x[3] % b) return node.fail("its space does not fit its blocks");
  Formula f(node);
  llvm::SmallVector<int64_t, 6> perm = {0, 1, 3, 5, 2, 4};
  if (node.text("mode", "DCR") == "DCR") perm = {0, 3, 5, 1, 2, 4};
  ValueId apart = f.reshape(node[0], {x[0], x[1], x[2] / b, b, x[3] / b, b});
  return f.finish(f.reshape(f.transpose(apart, perm), {x[0], x[1] * b * b, x[2] / b, x[3] / b}));
}

const ImportDef kImports[] = {
    {"", "Concat", 1, importConcat},
    {"", "DepthToSpace", 1, importDepthToSpace},
    {"", "Expand", 2, importExpand, 0, "what says its shape must be known when compiling"},
    {"", "Flatten", 1, importFlatten},
    {"", "Pad", 2, importPad, 0, "pads and value must be known when compiling"},
    {"", "Reshape", 2, importReshape, 0, "what says its shape must be known when compiling"},
    {"", "Slice", 3, importSlice, 0, "what says its shape must be known when compiling"},
    {"", "SpaceToDepth", 1, importSpaceToDepth},
    {"", "Split", 1, importSplit, 0, "what says its shape must be known when compiling"},
    {"", "Squeeze", 1, importSqueeze, 0, "what says its shape must be known when compiling"},
    {"", "Transpose", 1, importTranspose},
    {"", "Unsqueeze", 1, importUnsqueeze, 0, "what says its shape must be known when compiling"},
    {"com.microsoft", "SplitTraining", 2, importSplit},
};

} // namespace

llvm::ArrayRef<ImportDef> shapeImports() { return kImports; }

} // namespace autotp

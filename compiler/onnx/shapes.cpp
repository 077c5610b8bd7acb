// compiler/onnx/shapes.cpp: operators that move elements, and those that are about shapes and end before the plan.
#include "compiler/onnx/import_table.h"
#include "runtime/base/indexed.h"

#include <cmath>

namespace autotp {
namespace {

llvm::Error importReshape(NodeImport &node) {
  AUTOTP_TRY(wanted, node.constantIntegers(1));
  const Type from = node.type(0);
  bool keepsZero = node.integer("allowzero", 0);
  int64_t known = 1, unknown = -1;
  Shape shape;
  for (auto [d, size] : indexed(wanted)) {
    int64_t value = size;
    if (value == 0 && !keepsZero) {
      if (d >= from.shape.size())
        return node.fail("it copies dimension " + llvm::Twine(d) + ", which its operand lacks");
      value = from.shape[d];
    }
    if (value == -1 && unknown >= 0) return node.fail("two of its dimensions are -1");
    if (value < -1) return node.fail("a dimension of it is " + llvm::Twine(value));
    if (value == -1) unknown = int64_t(d);
    if (value > 0 && known > (int64_t(1) << 40) / value) return node.fail("its shape is too large");
    known *= value == -1 ? 1 : value;
    shape.push_back(value);
  }
  if (unknown >= 0) {
    if (known == 0 || from.elements() % known) return node.fail("it cannot find its dimension that is -1");
    shape[unknown] = from.elements() / known;
  }
  AUTOTP_TRY(result, node.reshape(node[0], shape));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importTranspose(NodeImport &node) {
  size_t rank = node.type(0).shape.size();
  llvm::SmallVector<int64_t, 6> perm;
  if (auto given = node.integers("perm"))
    perm.assign(given->begin(), given->end());
  else
    for (size_t d = rank; d-- > 0;)
      perm.push_back(int64_t(d));
  AUTOTP_TRY(result, node.make("transpose", {node[0]}, {{"perm", perm}}));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Expected<std::vector<int64_t>> axesOperand(NodeImport &node) {
  if (node.has(1)) return node.constantIntegers(1);
  if (auto attribute = node.integers("axes")) return *attribute;
  return std::vector<int64_t>();
}

llvm::Error importSqueeze(NodeImport &node) {
  AUTOTP_TRY(given, axesOperand(node));
  const Shape from = node.type(0).shape;
  llvm::SmallVector<bool, 6> isGone(from.size(), false);
  for (int64_t axis : given) {
    AUTOTP_TRY(d, node.axis(axis, from.size()));
    if (from[d] != 1) return node.fail("dimension " + llvm::Twine(d) + " is not 1");
    isGone[d] = true;
  }
  Shape shape;
  for (size_t d = 0; d < from.size(); ++d)
    if (!(isGone[d] || (given.empty() && from[d] == 1))) shape.push_back(from[d]);
  AUTOTP_TRY(result, node.reshape(node[0], shape));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importUnsqueeze(NodeImport &node) {
  AUTOTP_TRY(given, axesOperand(node));
  const Shape from = node.type(0).shape;
  size_t rank = from.size() + given.size(), next = 0;
  llvm::SmallVector<bool, 6> isNew(rank, false);
  for (int64_t axis : given) {
    AUTOTP_TRY(d, node.axis(axis, rank));
    if (isNew[d]) return node.fail("it adds dimension " + llvm::Twine(d) + " twice");
    isNew[d] = true;
  }
  Shape shape;
  for (size_t d = 0; d < rank; ++d)
    shape.push_back(isNew[d] ? 1 : from[next++]);
  AUTOTP_TRY(result, node.reshape(node[0], shape));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importFlatten(NodeImport &node) {
  const Shape from = node.type(0).shape;
  int64_t axis = node.integer("axis", 1);
  if (axis < 0) axis += int64_t(from.size());
  if (axis < 0 || axis > int64_t(from.size())) return node.fail("it has no dimension " + llvm::Twine(axis));
  int64_t outer = elementsOf(llvm::ArrayRef<int64_t>(from).take_front(axis));
  AUTOTP_TRY(result, node.reshape(node[0], {outer, outer ? node.type(0).elements() / outer : 0}));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Error importShape(NodeImport &node) {
  llvm::ArrayRef<int64_t> shape = node.type(0).shape;
  int64_t rank = int64_t(shape.size()), start = node.integer("start", 0), end = node.integer("end", rank);
  auto bounded = [&](int64_t x) { return std::clamp<int64_t>(x < 0 ? x + rank : x, 0, rank); };
  start = bounded(start);
  end = std::max(start, bounded(end));
  node.results.push_back(node.integerConstant(shape.slice(start, end - start)));
  return llvm::Error::success();
}

llvm::Error importExpand(NodeImport &node) {
  AUTOTP_TRY(wanted, node.constantIntegers(1));
  const Shape from = node.type(0).shape;
  Shape shape(std::max(wanted.size(), from.size()), 1);
  for (size_t d = 0; d < shape.size(); ++d) { // both ways: a 1 in the target keeps the operand's size
    int64_t a = d < from.size() ? from[from.size() - 1 - d] : 1,
            b = d < wanted.size() ? wanted[wanted.size() - 1 - d] : 1;
    if (b < 0) return node.fail("a dimension of it is " + llvm::Twine(b));
    shape[shape.size() - 1 - d] = b == 1 ? a : b;
  }
  if (shape == from) {
    node.results.push_back(node[0]);
    return llvm::Error::success();
  }
  AUTOTP_TRY(result, node.make("expand", {node[0]}, {}, Type{node.type(0).dtype, shape}));
  node.results.push_back(result);
  return llvm::Error::success();
}

llvm::Expected<ValueId> sliceOf(NodeImport &node, ValueId x, int64_t axis, int64_t start, int64_t length,
                                int64_t step = 1) {
  if (start == 0 && step == 1 && length == node.graph().type(x).shape[axis]) return x;
  return node.make("slice", {x}, {{"axis", axis}, {"length", length}, {"start", start}, {"step", step}});
}

llvm::Error importSlice(NodeImport &node) {
  if (!node.has(2)) return node.fail("its starts or ends are missing");
  AUTOTP_TRY(starts, node.constantIntegers(1));
  AUTOTP_TRY(ends, node.constantIntegers(2));
  std::vector<int64_t> axes, steps(starts.size(), 1);
  for (size_t i = 0; i < starts.size(); ++i)
    axes.push_back(int64_t(i));
  if (node.has(3)) {
    AUTOTP_TRY(given, node.constantIntegers(3));
    axes = given;
  }
  if (node.has(4)) {
    AUTOTP_TRY(given, node.constantIntegers(4));
    steps = given;
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return node.fail("its starts, ends, axes and steps differ in length");
  ValueId x = node[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    AUTOTP_TRY(axis, node.axis(axes[i], node.type(0).shape.size()));
    int64_t size = node.graph().type(x).shape[axis];
    if (steps[i] < 1) return node.fail("a step of " + llvm::Twine(steps[i]) + " is not supported");
    auto bounded = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    int64_t begin = bounded(starts[i]), end = std::max(begin, bounded(ends[i]));
    AUTOTP_TRY(sliced, sliceOf(node, x, axis, begin, end == begin ? 0 : (end - begin - 1) / steps[i] + 1,
                               std::min(steps[i], std::max<int64_t>(size, 1))));
    x = sliced;
  }
  node.results.push_back(x);
  return llvm::Error::success();
}

llvm::Error importSplit(NodeImport &node) {
  AUTOTP_TRY(axis, node.axis(node.integer("axis", 0), node.type(0).shape.size()));
  int64_t size = node.type(0).shape[axis], parts = node.integer("num_outputs", int64_t(node.numResults()));
  if (parts != int64_t(node.numResults())) return node.fail("num_outputs differs from the number of its results");
  std::vector<int64_t> lengths;
  if (node.has(1)) {
    AUTOTP_TRY(given, node.constantIntegers(1));
    lengths = given;
  } else {
    int64_t each = parts > 0 ? (size + parts - 1) / parts : 0;
    for (int64_t i = 0; i < parts; ++i)
      lengths.push_back(std::clamp<int64_t>(size - i * each, 0, each));
  }
  if (lengths.size() < node.numResults()) return node.fail("it has more results than parts");
  int64_t at = 0;
  for (size_t i = 0; i < node.numResults(); ++i) {
    AUTOTP_TRY(part, node.make("slice", {node[0]},
                               {{"axis", axis}, {"length", lengths[i]}, {"start", at}, {"step", int64_t(1)}}));
    node.results.push_back(part);
    at += lengths[i];
  }
  if (at > size) return node.fail("its parts are longer than dimension " + llvm::Twine(axis));
  return llvm::Error::success();
}

llvm::Error importConcat(NodeImport &node) {
  llvm::SmallVector<ValueId, 4> parts;
  AUTOTP_TRY(axis, node.axis(node.integer("axis", 0), node.type(0).shape.size()));
  for (size_t k = 0; k < node.numOperands(); ++k)
    if (node.has(k)) parts.push_back(node[k]);
  if (parts.size() == 1) {
    node.results.push_back(parts[0]);
    return llvm::Error::success();
  }
  AUTOTP_TRY(result, node.make("concat", parts, {{"axis", axis}}));
  node.results.push_back(result);
  return llvm::Error::success();
}

/// Where the indices are constant and consecutive: the first and how many.
std::optional<std::pair<int64_t, int64_t>> consecutive(NodeImport &node, int64_t size) {
  const Tensor *tensor = node.constant(node[1]);
  if (!tensor || tensor->type.shape.size() > 1 || tensor->type.elements() == 0) return std::nullopt;
  Array indices = toArray(*tensor);
  for (double &i : indices.data)
    i = i < 0 ? i + double(size) : i;
  for (size_t i = 0; i < indices.data.size(); ++i)
    if (indices.data[i] != indices.data[0] + double(i)) return std::nullopt;
  int64_t first = int64_t(indices.data[0]), count = int64_t(indices.data.size());
  if (first < 0 || first + count > size) return std::nullopt;
  return std::pair(first, count);
}

/// A gather of constant, consecutive indices is a slice; any other looks up rows of a table.
llvm::Error importGather(NodeImport &node) {
  const Type table = node.type(0), indices = node.type(1);
  AUTOTP_TRY(axis, node.axis(node.integer("axis", 0), table.shape.size()));
  if (auto range = consecutive(node, table.shape[axis])) {
    AUTOTP_TRY(part, sliceOf(node, node[0], axis, range->first, range->second));
    Shape shape = node.graph().type(part).shape;
    if (indices.shape.empty()) shape.erase(shape.begin() + axis);
    AUTOTP_TRY(result, node.reshape(part, shape));
    node.results.push_back(result);
    return llvm::Error::success();
  }
  ValueId rows = node[0];
  if (axis != 0) {
    llvm::SmallVector<int64_t, 6> perm = {axis};
    for (int64_t d = 0; d < int64_t(table.shape.size()); ++d)
      if (d != axis) perm.push_back(d);
    AUTOTP_TRY(front, node.make("transpose", {rows}, {{"perm", perm}}));
    rows = front;
  }
  ValueId chosen = node[1];
  if (const Tensor *known = node.constant(chosen)) { // our gather does not count from the end
    Array positive = toArray(*known);
    for (double &i : positive.data) {
      if (i < 0) i += double(table.shape[axis]);
      if (i < 0 || i >= double(table.shape[axis])) return node.fail("an index of it is out of range");
    }
    chosen = node.constantOf(toTensor(positive));
  }
  AUTOTP_TRY(result, node.make("gather", {rows, chosen}));
  if (axis != 0) { // [indices.., before.., after..] to [before.., indices.., after..]
    llvm::SmallVector<int64_t, 6> perm;
    int64_t n = int64_t(indices.shape.size());
    for (int64_t d = 0; d < axis; ++d)
      perm.push_back(n + d);
    for (int64_t d = 0; d < n; ++d)
      perm.push_back(d);
    for (int64_t d = n + axis; d < int64_t(node.graph().type(result).shape.size()); ++d)
      perm.push_back(d);
    AUTOTP_TRY(back, node.make("transpose", {result}, {{"perm", perm}}));
    result = back;
  }
  node.results.push_back(result);
  return llvm::Error::success();
}

/// Padding with a constant is a concat with constants; negative padding is a slice.
llvm::Error importPad(NodeImport &node) {
  if (node.text("mode", "constant") != "constant") return node.fail("only constant padding is supported");
  AUTOTP_TRY(pads, node.constantIntegers(1));
  double value = 0;
  if (node.has(2)) {
    const Tensor *constant = node.constant(node[2]);
    if (!constant || constant->type.elements() != 1) return node.fail("its value must be a constant scalar");
    value = toArray(*constant).data[0];
  }
  const size_t rank = node.type(0).shape.size();
  std::vector<int64_t> axes;
  for (size_t d = 0; d < rank; ++d)
    axes.push_back(int64_t(d));
  if (node.has(3)) {
    AUTOTP_TRY(given, node.constantIntegers(3));
    axes = given;
  }
  if (pads.size() != 2 * axes.size()) return node.fail("its pads do not fit its axes");
  ValueId x = node[0];
  for (size_t i = 0; i < axes.size(); ++i) {
    AUTOTP_TRY(axis, node.axis(axes[i], rank));
    if (std::abs(pads[i] / 2) > kMostElements || std::abs(pads[i + axes.size()] / 2) > kMostElements)
      return node.fail("its padding is too large");
    int64_t before = pads[i], after = pads[i + axes.size()], size = node.graph().type(x).shape[axis];
    int64_t cutFront = std::max<int64_t>(-before, 0), kept = size - cutFront - std::max<int64_t>(-after, 0);
    if (kept < 0 || before > (int64_t(1) << 40) || after > (int64_t(1) << 40))
      return node.fail("its padding does not fit dimension " + llvm::Twine(axis));
    AUTOTP_TRY(sliced, sliceOf(node, x, axis, cutFront, kept));
    llvm::SmallVector<ValueId, 3> parts;
    auto addFill = [&](int64_t length) -> llvm::Error {
      if (length <= 0) return llvm::Error::success();
      Type fill = node.graph().type(sliced);
      fill.shape[axis] = length;
      if (!countElements(fill.shape, kMostFolded)) return node.fail("its padding " + fill.text() + " is too large");
      Array contents(fill);
      for (double &element : contents.data)
        element = value;
      parts.push_back(node.constantOf(toTensor(contents)));
      return llvm::Error::success();
    };
    if (llvm::Error error = addFill(before)) return error;
    parts.push_back(sliced);
    if (llvm::Error error = addFill(after)) return error;
    x = sliced;
    if (parts.size() > 1) {
      AUTOTP_TRY(padded, node.make("concat", parts, {{"axis", axis}}));
      x = padded;
    }
  }
  node.results.push_back(x);
  return llvm::Error::success();
}

llvm::Error importConstant(NodeImport &node) {
  for (const auto &attribute : node.proto().attribute()) {
    llvm::StringRef name = attribute.name();
    if (name == "value") {
      AUTOTP_TRY(tensor, readTensor(attribute.t(), ""));
      node.results.push_back(node.constantOf(tensor));
    } else if (name == "value_int") {
      node.results.push_back(node.constantOf(scalarTensor(DType::I64, double(attribute.i()))));
    } else if (name == "value_float") {
      node.results.push_back(node.constantOf(scalarTensor(DType::F32, attribute.f())));
    } else if (name == "value_ints") {
      node.results.push_back(
          node.integerConstant(std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end())));
    } else if (name == "value_floats") {
      Array array(Type{DType::F32, {attribute.floats_size()}});
      llvm::copy(attribute.floats(), array.data.begin());
      node.results.push_back(node.constantOf(toTensor(array)));
    }
    if (!node.results.empty()) return llvm::Error::success();
  }
  return node.fail("its value is missing, or of a kind that is not supported");
}

llvm::Error importConstantOfShape(NodeImport &node) {
  AUTOTP_TRY(shape, node.constantIntegers(0));
  Type type{DType::F32, Shape(shape.begin(), shape.end())};
  double value = 0;
  if (const onnx::TensorProto *given = node.tensor("value")) {
    AUTOTP_TRY(tensor, readTensor(*given, ""));
    if (tensor.type.elements() != 1) return node.fail("its value is no scalar");
    type.dtype = tensor.type.dtype;
    value = toArray(tensor).data[0];
  }
  if (!countElements(shape, kMostFolded)) return node.fail("its shape is negative or too large");
  Array array(type);
  for (double &element : array.data)
    element = value;
  node.results.push_back(node.constantOf(toTensor(array)));
  return llvm::Error::success();
}

llvm::Error importRange(NodeImport &node) {
  double bounds[3];
  for (size_t k = 0; k < 3; ++k) {
    const Tensor *tensor = node.has(k) ? node.constant(node[k]) : nullptr;
    if (!tensor || tensor->type.elements() != 1) return node.fail("its bounds must be known when compiling");
    bounds[k] = toArray(*tensor).data[0];
  }
  double count = bounds[2] == 0 ? -1 : std::ceil((bounds[1] - bounds[0]) / bounds[2]);
  if (!(count < double(int64_t(1) << 30)) || bounds[2] == 0) return node.fail("its range is endless or too long");
  Array array(Type{node.type(0).dtype, {int64_t(std::max(count, 0.0))}});
  for (auto [i, element] : indexed(array.data))
    element = bounds[0] + double(i) * bounds[2];
  node.results.push_back(node.constantOf(toTensor(array)));
  return llvm::Error::success();
}

const ImportDef kImports[] = {
    {"", "Concat", importConcat},   {"", "Constant", importConstant},   {"", "ConstantOfShape", importConstantOfShape},
    {"", "Expand", importExpand},   {"", "Flatten", importFlatten},     {"", "Gather", importGather},
    {"", "Pad", importPad},         {"", "Range", importRange},         {"", "Reshape", importReshape},
    {"", "Shape", importShape},     {"", "Slice", importSlice},         {"", "Split", importSplit},
    {"", "Squeeze", importSqueeze}, {"", "Transpose", importTranspose}, {"", "Unsqueeze", importUnsqueeze},
};

} // namespace

llvm::ArrayRef<ImportDef> shapeImports() { return kImports; }

} // namespace autotp

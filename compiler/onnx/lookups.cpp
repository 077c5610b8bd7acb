// compiler/onnx/lookups.cpp: elements selected by indices. Constant indices along a dimension become a slice if
// possible, which keeps the axis of the dimension; others become lookups.
#include "compiler/onnx/lookups.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// The first of constant indices that are consecutive; nothing if they are not.
std::optional<int64_t> firstOfConsecutive(llvm::ArrayRef<double> indices) {
  if (indices.empty()) return std::nullopt;
  for (auto [i, index] : indexed(indices))
    if (index != indices[0] + double(i)) return std::nullopt;
  return int64_t(indices[0]);
}

/// The rows `ids` (of any shape) of dimension `axis`, whose place the dimensions of `ids` take.
ValueId rowsOf(Formula &f, ValueId x, size_t axis, ValueId ids) {
  const size_t rank = f.typeOf(x).shape.size(), extra = f.typeOf(ids).shape.size();
  llvm::SmallVector<int64_t, 6> toFront = {int64_t(axis)}, back; // back: from [ids.., before.., after..] to its place
  for (size_t d = 0; d < rank; ++d)
    if (d != axis) toFront.push_back(int64_t(d));
  for (size_t d = 0; d < rank - 1 + extra; ++d)
    back.push_back(int64_t(d < axis ? extra + d : d < axis + extra ? d - axis : d));
  return f.transpose(f("gather", {f.transpose(x, toFront), ids}), back);
}

} // namespace

llvm::Error wrapIndices(NodeImport &node, Array &indices, int64_t size) {
  if (isFloat(indices.type.dtype)) return node.fail("its indices are " + llvm::Twine(indices.type.text()));
  for (double &i : indices.data) {
    if (i < 0) i += double(size);
    if (i < 0 || i >= double(size)) return node.fail("an index of it is out of range");
  }
  return llvm::Error::success();
}

ValueId wrapIndices(Formula &f, ValueId indices, int64_t size) { return f("wrap_index", {indices}, {{"size", size}}); }

ValueId chosenAlong(Formula &f, NodeImport &node, ValueId x, size_t axis, llvm::ArrayRef<double> indices) {
  if (auto first = firstOfConsecutive(indices)) return f.slice(x, int64_t(axis), *first, int64_t(indices.size()));
  Array ids(Type{DType::I64, {int64_t(indices.size())}});
  ids.data.assign(indices.begin(), indices.end());
  return rowsOf(f, x, axis, node.constantOf(toTensor(ids)));
}

namespace {

llvm::Error importGather(NodeImport &node) {
  auto found = node.axis(node.integer("axis", 0), node.type(0).shape.size());
  if (!found) return found.takeError();
  const size_t axis = size_t(*found);
  Formula f(node);
  const Tensor *known = node.constant(node[1]);
  if (!known) return f.finish(rowsOf(f, node[0], axis, node[1]));
  Array indices = toArray(*known);
  if (llvm::Error error = wrapIndices(node, indices, node.type(0).shape[axis])) return error;
  if (indices.type.shape.size() > 1 || !firstOfConsecutive(indices.data))
    return f.finish(rowsOf(f, node[0], axis, node.constantOf(toTensor(indices))));
  ValueId part = chosenAlong(f, node, node[0], axis, indices.data);
  Shape shape = f.typeOf(part).shape;
  if (indices.type.shape.empty() && !f.isBroken(part)) shape.erase(shape.begin() + axis);
  return f.finish(f.reshape(part, shape));
}

} // namespace

std::optional<size_t> Component::dimension() const {
  if (!known) return std::nullopt;
  Shape strides = stridesOf(known->type.shape);
  std::optional<size_t> found;
  for (auto [d, size] : indexed(known->type.shape))
    for (int64_t i = 0; i < int64_t(known->data.size()); ++i) {
      if (i / strides[d] % size == 0 || known->data[i] == known->data[i - strides[d]]) continue;
      if (found && *found != d) return std::nullopt;
      found = d;
      break;
    }
  return found.value_or(0);
}

bool Component::isOneIndex() const {
  return llvm::all_of(known->data, [&](double i) { return i == known->data[0]; });
}

std::vector<double> Component::along(const Shape &space, size_t d) const {
  std::vector<double> indices;
  for (int64_t i = 0; i < space[d]; ++i)
    indices.push_back(known->data[size_t(i * stridesOf(space)[d])]);
  return indices;
}

Component counting(const Shape &space, size_t dimension) {
  Array numbers(Type{DType::I64, space});
  int64_t stride = stridesOf(space)[dimension];
  for (auto [i, number] : indexed(numbers.data))
    number = double(int64_t(i) / stride % space[dimension]);
  return {numbers};
}

namespace {

/// If every component is constant and depends on its own dimension of the index space, as in data[i[a], j[b]], the
/// result is a slice or lookup along each dimension, broadcast over the index space. Returns nothing otherwise.
std::optional<ValueId> alongEach(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components,
                                 const Shape &space) {
  llvm::SmallVector<int64_t, 6> taken(space.size(), -1); // for each dimension of the space, its component
  if (elementsOf(space) == 0) return std::nullopt;
  for (auto [k, component] : indexed(components)) {
    auto d = space.empty() ? std::nullopt : component.dimension();
    if (!component.known || (!space.empty() && !d)) return std::nullopt;
    if (component.isOneIndex()) continue;
    if (taken[*d] >= 0) return std::nullopt;
    taken[*d] = int64_t(k);
  }
  ValueId x = data;
  for (auto [k, component] : indexed(components)) {
    auto at = llvm::find(taken, int64_t(k));
    x = at == taken.end() ? f.slice(x, int64_t(k), int64_t(component.known->data[0]), 1)
                          : chosenAlong(f, node, x, k, component.along(space, size_t(at - taken.begin())));
  }
  llvm::SmallVector<int64_t, 6> perm;
  Shape apart, whole = space;
  for (size_t d = 0; d < space.size(); ++d) {
    apart.push_back(taken[d] < 0 ? 1 : space[d]);
    if (taken[d] >= 0) perm.push_back(taken[d]);
  }
  for (size_t k = 0; k < components.size(); ++k)
    if (!llvm::is_contained(taken, int64_t(k))) perm.push_back(int64_t(k)); // these have size 1
  const Shape rest = f.typeOf(x).shape;
  for (size_t d = components.size(); d < rest.size(); ++d) {
    perm.push_back(int64_t(d));
    apart.push_back(rest[d]);
    whole.push_back(rest[d]);
  }
  return f.expand(f.reshape(f.transpose(x, perm), apart), whole);
}

/// If one component is computed, and every other is constant and depends on its own dimension or on none, as in
/// data[i[a], j[a, b], ..], the result is elements of each row. Returns nothing otherwise.
std::optional<ValueId> alongRows(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components,
                                 const Shape &space) {
  if (components.size() != f.typeOf(data).shape.size() || elementsOf(space) == 0) return std::nullopt;
  llvm::SmallVector<int64_t, 6> toRows, fromRows(space.size()), dataToRows; // permutations of the space and of the data
  const Component *computed = nullptr;
  Shape rows, apart;
  ValueId x = data;
  for (auto [k, component] : indexed(components)) {
    if (!component.known) {
      if (computed) return std::nullopt;
      computed = &component;
      continue;
    }
    auto d = component.dimension();
    if (!d || (!component.isOneIndex() && llvm::is_contained(toRows, int64_t(*d)))) return std::nullopt;
    if (component.isOneIndex()) {
      x = f.slice(x, int64_t(k), int64_t(component.known->data[0]), 1);
    } else {
      x = chosenAlong(f, node, x, k, component.along(space, *d));
      toRows.push_back(int64_t(*d));
      rows.push_back(space[*d]);
    }
    dataToRows.push_back(int64_t(k));
  }
  if (!computed) return std::nullopt;
  dataToRows.push_back(computed - components.data());
  for (int64_t d = 0; d < int64_t(space.size()); ++d)
    if (!llvm::is_contained(toRows, d)) toRows.push_back(d);
  for (auto [i, d] : indexed(toRows)) {
    apart.push_back(space[size_t(d)]);
    fromRows[size_t(d)] = int64_t(i);
  }
  Shape idRows = rows;
  idRows.push_back(elementsOf(space) / elementsOf(rows));
  rows.push_back(f.typeOf(data).shape[size_t(dataToRows.back())]);
  ValueId ids = f.reshape(f.transpose(computed->computed, toRows), idRows);
  ValueId chosen = f("gather_elements", {f.reshape(f.transpose(x, dataToRows), rows), ids});
  return f.transpose(f.reshape(chosen, apart), fromRows);
}

} // namespace

ValueId numberOf(Formula &f, NodeImport &node, llvm::ArrayRef<int64_t> leading, llvm::ArrayRef<Component> components,
                 const Shape &space) {
  Shape strides = stridesOf(leading);
  ValueId number = kNone;
  Array known(Type{DType::I64, space});
  for (auto [k, component] : indexed(components)) {
    if (component.known) {
      for (auto [i, index] : indexed(component.known->data))
        known.data[i] += index * double(strides[k]);
      continue;
    }
    ValueId wide = f.cast(component.computed, DType::I64);
    // Indices wrap before they are combined, since a negative or too large one would select a point of another row.
    if (components.size() > 1) wide = wrapIndices(f, wide, leading[k]);
    ValueId term = strides[k] == 1 ? wide : f("mul", {wide, f.constant(wide, double(strides[k]))});
    number = number == kNone ? term : f("add", {number, term});
  }
  bool isKnown = llvm::any_of(components, [](const Component &c) { return c.known.has_value(); });
  if (isKnown) {
    ValueId offset = node.constantOf(toTensor(known));
    number = number == kNone ? offset : f("add", {number, offset});
  }
  return number;
}

ValueId atPoints(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components, const Shape &space) {
  if (auto result = alongEach(f, node, data, components, space)) return *result;
  if (auto result = alongRows(f, node, data, components, space)) return *result;
  const Shape shape = f.typeOf(data).shape;
  auto leading = llvm::ArrayRef<int64_t>(shape).take_front(components.size());
  Shape table = {elementsOf(leading)};
  table.append(shape.begin() + components.size(), shape.end());
  return f("gather", {f.reshape(data, table), numberOf(f, node, leading, components, space)});
}

namespace {

llvm::Error gatherPoints(NodeImport &node, std::vector<Component> components, const Shape &space) {
  const Shape data = node.type(0).shape;
  for (auto [k, component] : indexed(components))
    if (component.known)
      if (llvm::Error error = wrapIndices(node, *component.known, data[k])) return error;
  Formula f(node);
  return f.finish(atPoints(f, node, node[0], components, space));
}

} // namespace

llvm::Expected<std::vector<Component>> columnsOf(NodeImport &node, Formula &f, ValueId indices, const Shape &space) {
  const int64_t count = f.typeOf(indices).shape.back(), axis = int64_t(space.size());
  std::vector<Component> columns;
  auto add = [&](ValueId value) {
    ValueId flat = f.reshape(value, space);
    const Tensor *known = flat == kNone ? nullptr : node.constant(flat);
    columns.push_back(known ? Component{toArray(*known)} : Component{std::nullopt, flat});
  };
  const Node *producer = node.graph().producer(indices);
  if (producer && producer->is("concat") && producer->attributes.integer("axis") == axis &&
      int64_t(producer->operands.size()) == count) {
    llvm::SmallVector<ValueId, 4> parts(producer->operands.begin(), producer->operands.end());
    for (ValueId part : parts)
      add(part);
  } else {
    for (int64_t k = 0; k < count; ++k)
      add(f.slice(indices, axis, k, 1));
  }
  if (llvm::Error error = f.takeError()) return error;
  return columns;
}

namespace {

llvm::Error importGatherND(NodeImport &node) {
  const Shape data = node.type(0).shape, indices = node.type(1).shape;
  const int64_t batch = node.integer("batch_dims", 0);
  if (indices.empty() || batch < 0 || batch >= int64_t(std::min(data.size(), indices.size())))
    return node.fail("its batch_dims do not fit its operands");
  Shape space(indices.begin(), indices.end() - 1);
  if (llvm::Error error = node.mustHold(space, data.size() + 2)) return error;
  if (indices.back() < 1 || batch + indices.back() > int64_t(data.size()))
    return node.fail("it has more indices than its operand has dimensions");
  std::vector<Component> components;
  for (int64_t d = 0; d < batch; ++d) {
    if (space[d] != data[d]) return node.fail("its operands differ in dimension " + llvm::Twine(d));
    components.push_back(counting(space, size_t(d)));
  }
  Formula f(node);
  auto columns = columnsOf(node, f, node[1], space);
  if (!columns) return columns.takeError();
  llvm::append_range(components, *columns);
  return gatherPoints(node, std::move(components), space);
}

llvm::Error importGatherElements(NodeImport &node) {
  const Shape data = node.type(0).shape, space = node.type(1).shape;
  auto axis = node.axis(node.integer("axis", 0), data.size());
  if (!axis) return axis.takeError();
  if (space.size() != data.size()) return node.fail("its operands differ in rank");
  if (llvm::Error error = node.mustHold(space, data.size() + 2)) return error;
  std::vector<Component> components;
  for (size_t d = 0; d < data.size(); ++d) {
    if (int64_t(d) != *axis && space[d] > data[d]) return node.fail("its indices exceed dimension " + llvm::Twine(d));
    components.push_back(counting(space, d));
  }
  const Tensor *known = node.constant(node[1]);
  components[*axis] = known ? Component{toArray(*known)} : Component{std::nullopt, node[1]};
  return gatherPoints(node, std::move(components), space);
}

/// The elements for which a known condition is true; without an axis, those of the flattened operand.
llvm::Error importCompress(NodeImport &node) {
  const Tensor *condition = node.constant(node[1]);
  if (!condition) return node.fail("its condition depends on an input, and so does the size of its result");
  const Array known = toArray(*condition);
  const Shape x = node.type(0).shape;
  const int64_t given = node.integer("axis", INT64_MIN);
  const bool isFlat = given == INT64_MIN;
  auto axis = isFlat ? llvm::Expected<int64_t>(0) : node.axis(given, x.size());
  if (!axis) return axis.takeError();
  Formula f(node);
  ValueId data = isFlat ? f.reshape(node[0], {node.type(0).elements()}) : node[0];
  std::vector<double> indices;
  for (auto [i, holds] : indexed(known.data))
    if (holds != 0) indices.push_back(double(i));
  if (!indices.empty() && indices.back() >= double(f.typeOf(data).shape[size_t(*axis)]))
    return node.fail("its condition is longer than its operand");
  return f.finish(chosenAlong(f, node, data, size_t(*axis), indices));
}

const ImportDef kImports[] = {
    {"", "Compress", 2, importCompress, 0, "its condition must be known when compiling"},
    {"", "Gather", 2, importGather},
    {"", "GatherElements", 2, importGatherElements},
    {"", "GatherND", 2, importGatherND},
};

} // namespace

llvm::ArrayRef<ImportDef> lookupImports() { return kImports; }

} // namespace autotp

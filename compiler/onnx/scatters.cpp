// compiler/onnx/scatters.cpp: elements of updates replace, or are added to, those that indices name.
#include "compiler/onnx/lookups.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// Moves to the next index of `shape` in row-major order; false after the last.
bool advance(Shape &index, const Shape &shape) {
  for (size_t d = shape.size(); d-- > 0; index[d] = 0)
    if (++index[d] < shape[d]) return true;
  return false;
}

/// For constant indices: which elements of the data get an update, and which one. If several updates go to one element,
/// each further one belongs to another layer.
struct Landing {
  Array isHit;                    ///< bool, of the data's shape
  std::vector<Component> sources; ///< one for each dimension of the updates, over the data's shape

  Landing(const Shape &data, const Shape &updates) : isHit(Type{DType::Bool, data}) {
    for (size_t d = 0; d < updates.size(); ++d)
      sources.push_back({Array(Type{DType::I64, data})});
  }
  void land(int64_t at, const Shape &from) {
    isHit.data[size_t(at)] = 1;
    for (auto [d, index] : indexed(from))
      sources[d].known->data[size_t(at)] = double(index);
  }
};

/// For each update, in row-major order, the flat index of the element of the data to which it goes.
using Targets = std::vector<int64_t>;

constexpr size_t kMostLayers = 64; ///< the most updates of one element

/// If `isLast`, the last of several updates of an element counts; otherwise all do, in layers.
llvm::Expected<std::vector<Landing>> landingsOf(NodeImport &node, const Targets &targets, bool isLast) {
  const Shape data = node.type(0).shape, updates = node.type(2).shape;
  std::vector<Landing> layers;
  std::vector<size_t> landed(isLast ? 0 : size_t(elementsOf(data)), 0);
  Shape from(updates.size(), 0);
  for (size_t i = 0; i < targets.size(); ++i, advance(from, updates)) {
    const size_t layer = isLast ? 0 : landed[size_t(targets[i])]++;
    if (layer >= kMostLayers) return node.fail("too many of its updates fall on one element");
    if (layer == layers.size()) layers.emplace_back(data, updates);
    layers[layer].land(targets[i], from);
  }
  return layers;
}

/// The operator that joins an element and its update; empty if the update replaces it.
llvm::Expected<std::string> joinOf(NodeImport &node) {
  const std::string reduction = node.text("reduction", "none");
  if (reduction == "none") return std::string();
  if (reduction == "add" || reduction == "mul" || reduction == "max" || reduction == "min") return reduction;
  return node.fail("reduction " + reduction + " is not known");
}

/// Elements without an update keep the data; for the others, the updates are looked up.
llvm::Error putByLanding(NodeImport &node, const Targets &targets, llvm::StringRef join) {
  for (size_t k : {0, 2})
    if (llvm::Error error = node.mustHold(node.type(k).shape, 4)) return error;
  auto layers = landingsOf(node, targets, join.empty());
  if (!layers) return layers.takeError();
  Formula f(node);
  ValueId result = node[0];
  for (const Landing &layer : *layers) {
    ValueId updates = atPoints(f, node, node[2], layer.sources, layer.isHit.type.shape);
    ValueId put = join.empty() ? updates : f(join, {result, updates});
    result = f("where", {node.constantOf(toTensor(layer.isHit)), put, result});
  }
  return f.finish(result);
}

/// Adds rows of updates [points, ..] to the rows of data [rows, ..] that `ids` name.
ValueId withRowsAdded(Formula &f, ValueId data, ValueId ids, ValueId updates) {
  const Type type = f.typeOf(data);
  const bool isInteger = !isFloat(type.dtype); // scatter_add sums floats, which are exact up to 2^53
  ValueId rows = isInteger ? f.cast(updates, DType::F64) : updates;
  ValueId sums = f("scatter_add", {ids, rows}, {}, Type{f.typeOf(rows).dtype, type.shape});
  return f("add", {data, f.cast(sums, type.dtype)});
}

/// Scatters at computed indices. Each of the index's places along `axis` is compared with every position; of equal
/// indices the last holds, or all are joined. This is for few places, such as the choices of a router.
llvm::Error scatterByComparing(NodeImport &node, int64_t axis, llvm::StringRef join) {
  const Shape data = node.type(0).shape, updates = node.type(2).shape;
  constexpr int64_t kMostPlaces = 64;
  Shape rest = data, given = updates, numbers(data.size(), 1);
  rest[axis] = given[axis] = 1;
  if (rest != given || node.type(1).shape != updates || updates[axis] > kMostPlaces)
    return node.fail(
        "its indices are computed: that needs operands of equal other dimensions, and few indices in each row");
  numbers[axis] = data[axis];
  Formula f(node);
  ValueId positions = node.constantOf(countingTensor(numbers)), result = node[0],
          ids = wrapIndices(f, f.cast(node[1], DType::I64), data[axis]);
  for (int64_t k = 0; k < updates[axis]; ++k) {
    ValueId isHere = f("equal", {f.slice(ids, axis, k, 1), positions});
    ValueId update = f.slice(node[2], axis, k, 1);
    result = f("where", {isHere, join.empty() ? update : f(join, {result, update}), result});
  }
  return f.finish(result);
}

/// The indices of whole rows, if they are broadcast over all other dimensions (index_add, segment sums); else kNone.
ValueId rowIndices(NodeImport &node, Formula &f, int64_t axis) {
  const Shape data = node.type(0).shape, space = node.type(1).shape;
  for (int64_t d = 0; d < int64_t(data.size()); ++d)
    if (d != axis && space[d] != data[d]) return kNone;
  if (const Tensor *known = node.constant(node[1])) {
    const Component component{toArray(*known)};
    if (component.dimension() != size_t(axis)) return kNone;
    Array ids(Type{DType::I64, {space[axis]}});
    for (int64_t i = 0; i < space[axis]; ++i)
      ids.data[size_t(i)] = component.known->data[size_t(i * stridesOf(space)[axis])];
    return node.constantOf(toTensor(ids));
  }
  const Node *spread = node.graph().producer(node[1]);
  if (!spread || !spread->is("expand")) return kNone;
  const ValueId narrow = spread->operands[0];
  Shape wanted(data.size(), 1), shape = node.graph().type(narrow).shape;
  wanted[axis] = space[axis];
  shape.insert(shape.begin(), data.size() - shape.size(), 1);
  return shape == wanted ? f.reshape(narrow, {space[axis]}) : kNone;
}

llvm::Error addElements(NodeImport &node, int64_t axis) {
  const Shape data = node.type(0).shape, space = node.type(1).shape;
  Formula f(node);
  if (ValueId rows = rowIndices(node, f, axis); rows != kNone) {
    llvm::SmallVector<int64_t, 6> perm = countingUp(data.size());
    std::swap(perm[0], perm[axis]); // a permutation that is its own inverse
    return f.finish(f.transpose(withRowsAdded(f, f.transpose(node[0], perm), rows, f.transpose(node[2], perm)), perm));
  }
  if (llvm::Error error = node.mustHold(space, data.size() + 2)) return error;
  std::vector<Component> components;
  for (size_t d = 0; d < data.size(); ++d)
    components.push_back(counting(space, d));
  const Tensor *known = node.constant(node[1]);
  components[axis] = known ? Component{toArray(*known)} : Component{std::nullopt, node[1]};
  if (known)
    if (llvm::Error error = wrapIndices(node, *components[axis].known, data[axis])) return error;
  ValueId ids = f.reshape(numberOf(f, node, data, components, space), {elementsOf(space)});
  ValueId flat = f.reshape(node[0], {elementsOf(data)}), updates = f.reshape(node[2], {elementsOf(space)});
  return f.finish(f.reshape(withRowsAdded(f, flat, ids, updates), data));
}

llvm::Error importScatterElements(NodeImport &node) {
  const Shape data = node.type(0).shape, updates = node.type(2).shape, strides = stridesOf(data);
  auto axis = node.axis(node.integer("axis", 0), data.size());
  if (!axis) return axis.takeError();
  auto join = joinOf(node);
  if (!join) return join.takeError();
  if (node.type(1).shape != updates || updates.size() != data.size()) return node.fail("its operands do not fit");
  for (size_t d = 0; d < data.size(); ++d)
    if (int64_t(d) != *axis && updates[d] > data[d]) return node.fail("its updates exceed dimension " + llvm::Twine(d));
  if (*join == "add") return addElements(node, *axis);
  const Tensor *known = node.constant(node[1]);
  if (!known) return scatterByComparing(node, *axis, *join);
  Array indices = toArray(*known);
  if (llvm::Error error = wrapIndices(node, indices, data[*axis])) return error;
  Targets targets;
  Shape from(updates.size(), 0);
  for (size_t i = 0; i < indices.data.size(); ++i, advance(from, updates)) {
    int64_t at = 0;
    for (size_t d = 0; d < data.size(); ++d)
      at += (int64_t(d) == *axis ? int64_t(indices.data[i]) : from[d]) * strides[d];
    targets.push_back(at);
  }
  return putByLanding(node, targets, *join);
}

/// Adds updates by one row number each, in the leading dimensions merged into one.
llvm::Error addPoints(NodeImport &node, size_t depth) {
  const Shape data = node.type(0).shape, given = node.type(1).shape;
  Shape space(given.begin(), given.end() - 1), updates = {elementsOf(space)};
  if (llvm::Error error = node.mustHold(space, data.size() + 2)) return error;
  auto leading = llvm::ArrayRef<int64_t>(data).take_front(depth);
  Shape table = {elementsOf(leading)};
  table.append(data.begin() + depth, data.end());
  updates.append(data.begin() + depth, data.end());
  Formula f(node);
  auto columns = columnsOf(node, f, node[1], space);
  if (!columns) return columns.takeError();
  for (auto [k, column] : indexed(*columns)) {
    if (!column.known) continue;
    if (llvm::Error error = wrapIndices(node, *column.known, data[k])) return error;
  }
  ValueId ids = f.reshape(numberOf(f, node, leading, *columns, space), {updates[0]});
  return f.finish(f.reshape(withRowsAdded(f, f.reshape(node[0], table), ids, f.reshape(node[2], updates)), data));
}

llvm::Error importScatterND(NodeImport &node) {
  const Shape data = node.type(0).shape, strides = stridesOf(data), given = node.type(1).shape;
  const size_t depth = given.empty() ? 0 : size_t(given.back());
  auto join = joinOf(node);
  if (!join) return join.takeError();
  if (depth < 1 || depth > data.size()) return node.fail("its indices do not fit its operand");
  Shape updates(given.begin(), given.end() - 1);
  updates.append(data.begin() + depth, data.end());
  if (updates != node.type(2).shape) return node.fail("its updates do not fit its indices");
  if (*join == "add") return addPoints(node, depth);
  const Tensor *known = node.constant(node[1]);
  if (!known) return node.fail("its indices must be known when compiling, unless its reduction is add");
  const Array indices = toArray(*known);
  const size_t prefix = given.size() - 1;
  Targets targets;
  Shape from(updates.size(), 0);
  for (int64_t i = 0; i < elementsOf(updates); ++i, advance(from, updates)) {
    int64_t row = 0, at = 0;
    for (size_t d = 0; d < prefix; ++d)
      row = row * updates[d] + from[d];
    for (size_t k = 0; k < data.size(); ++k) {
      int64_t to = k < depth ? int64_t(indices.data[size_t(row) * depth + k]) : from[prefix + k - depth];
      if (to < 0) to += data[k];
      if (to < 0 || to >= data[k]) return node.fail("an index of it is out of range");
      at += to * strides[k];
    }
    targets.push_back(at);
  }
  return putByLanding(node, targets, *join);
}

const ImportDef kImports[] = {
    {"", "Scatter", 3, importScatterElements}, // its name before opset 11
    {"", "ScatterElements", 3, importScatterElements, 0,
     "unless it adds, indices that are computed may be few in each row"},
    {"", "ScatterND", 3, importScatterND, 0, "unless it adds, its indices must be known when compiling"},
};

} // namespace

llvm::ArrayRef<ImportDef> scatterImports() { return kImports; }

} // namespace autotp

// compiler/onnx/lookups.cpp: elements chosen by index. What constant indices choose along a dimension is a slice, which
// keeps the dimension's axis; only indices that are computed look anything up.
#include "compiler/onnx/formula.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

/// Where the indices are constant and consecutive: the first.
std::optional<int64_t> firstOfConsecutive(llvm::ArrayRef<double> indices) {
  if (indices.empty()) return std::nullopt;
  for (auto [i, index] : indexed(indices))
    if (index != indices[0] + double(i)) return std::nullopt;
  return int64_t(indices[0]);
}

/// Counted from the front; an error where one is outside a dimension of `size`.
llvm::Error wrapIndices(NodeImport &node, Array &indices, int64_t size) {
  if (isFloat(indices.type.dtype)) return node.fail("its indices are " + llvm::Twine(indices.type.text()));
  for (double &i : indices.data) {
    if (i < 0) i += double(size);
    if (i < 0 || i >= double(size)) return node.fail("an index of it is out of range");
  }
  return llvm::Error::success();
}

/// The same of indices that are computed, which are checked when they are.
ValueId wrapIndices(Formula &f, ValueId indices, int64_t size) { return f("wrap_index", {indices}, {{"size", size}}); }

/// The rows `ids` (any shape) of dimension `axis`, which their dimensions replace.
ValueId rowsOf(Formula &f, ValueId x, size_t axis, ValueId ids) {
  const size_t rank = f.typeOf(x).shape.size(), extra = f.typeOf(ids).shape.size();
  llvm::SmallVector<int64_t, 6> toFront = {int64_t(axis)}, back; // [ids.., before.., after..] to its place
  for (size_t d = 0; d < rank; ++d)
    if (d != axis) toFront.push_back(int64_t(d));
  for (size_t d = 0; d < rank - 1 + extra; ++d)
    back.push_back(int64_t(d < axis ? extra + d : d < axis + extra ? d - axis : d));
  return f.transpose(f("gather", {f.transpose(x, toFront), ids}), back);
}

} // namespace

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

/// What chooses along one leading dimension of the data, for each point of an index space.
struct Component {
  std::optional<Array> known; ///< of the index space's shape
  ValueId computed = kNone;

  /// The only dimension of the index space that the choice depends on; nothing if there are several, or it is computed.
  std::optional<size_t> dimension() const {
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
};

Component counting(const Shape &space, size_t dimension) {
  Array numbers(Type{DType::I64, space});
  int64_t stride = stridesOf(space)[dimension];
  for (auto [i, number] : indexed(numbers.data))
    number = double(int64_t(i) / stride % space[dimension]);
  return {numbers};
}

/// Every component is constant and depends on a dimension of its own: data[i[a], j[b]] is a slice or lookup along each
/// dimension, spread over the index space. Nothing where that is not so.
std::optional<ValueId> alongEach(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components,
                                 const Shape &space) {
  llvm::SmallVector<int64_t, 6> taken(space.size(), -1); // the component of each dimension
  if (elementsOf(space) == 0) return std::nullopt;
  for (auto [k, component] : indexed(components)) {
    auto d = space.empty() ? std::nullopt : component.dimension();
    if (!component.known || (!space.empty() && !d)) return std::nullopt;
    bool isOneIndex = llvm::all_of(component.known->data, [&](double i) { return i == component.known->data[0]; });
    if (isOneIndex) continue;
    if (taken[*d] >= 0) return std::nullopt;
    taken[*d] = int64_t(k);
  }
  ValueId x = data;
  for (auto [k, component] : indexed(components)) {
    auto at = llvm::find(taken, int64_t(k));
    size_t d = size_t(at - taken.begin());
    std::vector<double> indices;
    int64_t count = at == taken.end() ? 1 : space[d], stride = at == taken.end() ? 1 : stridesOf(space)[d];
    for (int64_t i = 0; i < count; ++i)
      indices.push_back(component.known->data[i * stride]);
    x = chosenAlong(f, node, x, k, indices);
  }
  llvm::SmallVector<int64_t, 6> perm;
  Shape apart, whole = space;
  for (size_t d = 0; d < space.size(); ++d) {
    apart.push_back(taken[d] < 0 ? 1 : space[d]);
    if (taken[d] >= 0) perm.push_back(taken[d]);
  }
  for (size_t k = 0; k < components.size(); ++k)
    if (!llvm::is_contained(taken, int64_t(k))) perm.push_back(int64_t(k)); // of size 1
  const Shape rest = f.typeOf(x).shape;
  for (size_t d = components.size(); d < rest.size(); ++d) {
    perm.push_back(int64_t(d));
    apart.push_back(rest[d]);
    whole.push_back(rest[d]);
  }
  return f.expand(f.reshape(f.transpose(x, perm), apart), whole);
}

/// Looks up rows of the leading dimensions, merged, by one number each.
ValueId byNumber(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components, const Shape &space) {
  const Shape shape = f.typeOf(data).shape;
  Shape table = {elementsOf(llvm::ArrayRef<int64_t>(shape).take_front(components.size()))};
  table.append(shape.begin() + components.size(), shape.end());
  Shape strides = stridesOf(llvm::ArrayRef<int64_t>(shape).take_front(components.size()));
  ValueId number = kNone;
  Array known(Type{DType::I64, space});
  for (auto [k, component] : indexed(components)) {
    if (component.known) {
      for (auto [i, index] : indexed(component.known->data))
        known.data[i] += index * double(strides[k]);
      continue;
    }
    ValueId wide = f.cast(component.computed, DType::I64);
    // Before they are one number: another dimension's row would be read where one is negative or out of range.
    if (components.size() > 1) wide = wrapIndices(f, wide, shape[k]);
    ValueId term = strides[k] == 1 ? wide : f("mul", {wide, f.constant(wide, double(strides[k]))});
    number = number == kNone ? term : f("add", {number, term});
  }
  bool isKnown = llvm::any_of(components, [](const Component &c) { return c.known.has_value(); });
  if (isKnown) {
    ValueId offset = node.constantOf(toTensor(known));
    number = number == kNone ? offset : f("add", {number, offset});
  }
  return f("gather", {f.reshape(data, table), number});
}

ValueId atPoints(Formula &f, NodeImport &node, ValueId data, llvm::ArrayRef<Component> components, const Shape &space) {
  auto result = alongEach(f, node, data, components, space);
  return result ? *result : byNumber(f, node, data, components, space);
}

llvm::Error gatherPoints(NodeImport &node, std::vector<Component> components, const Shape &space) {
  const Shape data = node.type(0).shape;
  for (auto [k, component] : indexed(components))
    if (component.known)
      if (llvm::Error error = wrapIndices(node, *component.known, data[k])) return error;
  Formula f(node);
  return f.finish(atPoints(f, node, node[0], components, space));
}

/// The columns of an index tensor [space.., n]; each by itself where they were concatenated.
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

llvm::Error importGatherND(NodeImport &node) {
  const Shape data = node.type(0).shape, indices = node.type(1).shape;
  const int64_t batch = node.integer("batch_dims", 0);
  if (indices.empty() || batch < 0 || batch >= int64_t(std::min(data.size(), indices.size())))
    return node.fail("its batch_dims do not fit its operands");
  Shape space(indices.begin(), indices.end() - 1);
  if (!countElements(space, kMostFolded)) return node.fail("it has too many indices");
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
  if (!countElements(space, kMostFolded)) return node.fail("it has too many indices");
  std::vector<Component> components;
  for (size_t d = 0; d < data.size(); ++d) {
    if (int64_t(d) != *axis && space[d] > data[d]) return node.fail("its indices exceed dimension " + llvm::Twine(d));
    components.push_back(counting(space, d));
  }
  const Tensor *known = node.constant(node[1]);
  components[*axis] = known ? Component{toArray(*known)} : Component{std::nullopt, node[1]};
  return gatherPoints(node, std::move(components), space);
}

/// Where constant indices put updates: for each element of the data whether one lands there, and which.
struct Landing {
  Array isHit;                    ///< bool, of the data's shape
  std::vector<Component> sources; ///< one a dimension of the updates, over the data's shape

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

/// Moves to the next index of `shape`, row-major; false after the last.
bool advance(Shape &index, const Shape &shape) {
  for (size_t d = shape.size(); d-- > 0; index[d] = 0)
    if (++index[d] < shape[d]) return true;
  return false;
}

/// Elements that nothing lands on keep the data; the others are looked up in the updates.
llvm::Error finishScatter(NodeImport &node, const Landing &landing) {
  Formula f(node);
  ValueId updates = atPoints(f, node, node[2], landing.sources, landing.isHit.type.shape);
  return f.finish(f("where", {node.constantOf(toTensor(landing.isHit)), updates, node[0]}));
}

llvm::Expected<Array> landingIndices(NodeImport &node) {
  if (node.text("reduction", "none") != "none") return node.fail("only reduction 'none' is supported");
  const Tensor *known = node.constant(node[1]);
  if (!known) return node.fail("its indices must be known when compiling");
  if (!countElements(node.type(0).shape, kMostFolded) || !countElements(node.type(2).shape, kMostFolded))
    return node.fail("its operands are too large");
  return toArray(*known);
}

/// Indices that are computed: each of their places along `axis` is compared with every position there; of equal ones
/// the last holds. For few places, such as the choices of a router.
llvm::Error scatterByComparing(NodeImport &node, int64_t axis) {
  const Shape data = node.type(0).shape, updates = node.type(2).shape;
  constexpr int64_t kMostPlaces = 64;
  Shape rest = data, given = updates, numbers(data.size(), 1);
  rest[axis] = given[axis] = 1;
  if (node.text("reduction", "none") != "none" || rest != given || node.type(1).shape != updates ||
      updates[axis] > kMostPlaces)
    return node.fail(
        "its indices are computed: that needs operands of equal other dimensions, and few indices in each row");
  numbers[axis] = data[axis];
  Formula f(node);
  ValueId positions = node.constantOf(countingTensor(numbers)), result = node[0], ids = f.cast(node[1], DType::I64);
  ids = wrapIndices(f, ids, data[axis]);
  for (int64_t k = 0; k < updates[axis]; ++k) {
    ValueId isHere = f("equal", {f.slice(ids, axis, k, 1), positions});
    result = f("where", {isHere, f.slice(node[2], axis, k, 1), result});
  }
  return f.finish(result);
}

llvm::Error importScatterElements(NodeImport &node) {
  if (!node.constant(node[1])) {
    auto axis = node.axis(node.integer("axis", 0), node.type(0).shape.size());
    return axis ? scatterByComparing(node, *axis) : axis.takeError();
  }
  auto indices = landingIndices(node);
  if (!indices) return indices.takeError();
  const Shape data = node.type(0).shape, updates = node.type(2).shape, strides = stridesOf(data);
  auto axis = node.axis(node.integer("axis", 0), data.size());
  if (!axis) return axis.takeError();
  if (indices->type.shape != updates || updates.size() != data.size()) return node.fail("its operands do not fit");
  if (llvm::Error error = wrapIndices(node, *indices, data[*axis])) return error;
  Landing landing(data, updates);
  Shape from(updates.size(), 0);
  for (size_t i = 0; i < indices->data.size(); ++i, advance(from, updates)) {
    int64_t at = 0;
    for (size_t d = 0; d < data.size(); ++d) {
      int64_t to = int64_t(d) == *axis ? int64_t(indices->data[i]) : from[d];
      if (to >= data[d]) return node.fail("its updates exceed dimension " + llvm::Twine(d));
      at += to * strides[d];
    }
    landing.land(at, from);
  }
  return finishScatter(node, landing);
}

llvm::Error importScatterND(NodeImport &node) {
  auto indices = landingIndices(node);
  if (!indices) return indices.takeError();
  const Shape data = node.type(0).shape, strides = stridesOf(data), given = indices->type.shape;
  const size_t depth = given.empty() ? 0 : size_t(given.back());
  if (depth < 1 || depth > data.size()) return node.fail("its indices do not fit its operand");
  Shape updates(given.begin(), given.end() - 1);
  updates.append(data.begin() + depth, data.end());
  if (updates != node.type(2).shape) return node.fail("its updates do not fit its indices");
  Landing landing(data, updates);
  const size_t prefix = given.size() - 1;
  Shape from(updates.size(), 0);
  for (int64_t i = 0; i < elementsOf(updates); ++i, advance(from, updates)) {
    int64_t row = 0, at = 0;
    for (size_t d = 0; d < prefix; ++d)
      row = row * updates[d] + from[d];
    for (size_t k = 0; k < data.size(); ++k) {
      int64_t to = k < depth ? int64_t(indices->data[size_t(row) * depth + k]) : from[prefix + k - depth];
      if (to < 0) to += data[k];
      if (to < 0 || to >= data[k]) return node.fail("an index of it is out of range");
      at += to * strides[k];
    }
    landing.land(at, from);
  }
  return finishScatter(node, landing);
}

const ImportDef kImports[] = {
    {"", "ScatterElements", 3, importScatterElements},
    {"", "ScatterND", 3, importScatterND},
    {"", "Gather", 2, importGather},
    {"", "GatherElements", 2, importGatherElements},
    {"", "GatherND", 2, importGatherND},
};

} // namespace

llvm::ArrayRef<ImportDef> lookupImports() { return kImports; }

} // namespace autotp

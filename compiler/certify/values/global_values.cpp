#include "compiler/certify/values/global_values.h"

#include "compiler/ops/fused.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/Sequence.h"

namespace autotp {
namespace {

void addText(ByteKey &key, llvm::StringRef text) { key.addList(llvm::ArrayRef<char>(text.data(), text.size())); }
void addType(ByteKey &key, const Type &type) { key.add(type.dtype).addList(llvm::ArrayRef<int64_t>(type.shape)); }

void addAttributes(ByteKey &key, const Attributes &attributes) {
  for (const auto &[name, value] : attributes.all()) {
    addText(key, name);
    key.add(value.index());
    if (const auto *integer = std::get_if<int64_t>(&value)) key.add(*integer);
    if (const auto *real = std::get_if<double>(&value)) key.add(*real);
    if (const auto *text = std::get_if<std::string>(&value)) addText(key, *text);
    if (const auto *list = std::get_if<llvm::SmallVector<int64_t, 6>>(&value))
      key.addList(llvm::ArrayRef<int64_t>(*list));
  }
}

uint64_t readerKey(KernelId kernel, unsigned k, RootId root) {
  return uint64_t(kernel) << 40 | uint64_t(k) << 32 | root;
}

} // namespace

bool isZeroConstant(const GlobalOperand &operand) {
  if (operand.kind == GlobalOperand::Kind::Fill) return operand.fill == 0;
  return operand.kind == GlobalOperand::Kind::Constant &&
         llvm::all_of(operand.constant->bytes, [](uint8_t byte) { return byte == 0; });
}

GlobalValues::GlobalValues(const Graph &graph, IndexLists &lists) : lists_(lists) {
  values_.resize(graph.numValues());
  for (ValueId id = 0; id < graph.numValues(); ++id) {
    const Value &value = graph.value(id);
    if (value.kind == ValueKind::Constant) {
      values_[id].kind = GlobalOperand::Kind::Constant;
      values_[id].constant = &*value.contents;
      values_[id].type = value.type;
    } else if (value.kind != ValueKind::Result) {
      values_[id] = whole(addRoot(value.type, value.name));
    }
  }
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next)
    visit(graph, graph.node(id));
}

const OpDef *GlobalValues::rowOf(KernelId kernel) {
  static const llvm::DenseMap<unsigned, const OpDef *> rows = [] {
    llvm::DenseMap<unsigned, const OpDef *> byKernel;
    for (const OpDef *row : allOps())
      if (row->kernel != KernelId::None) byKernel[unsigned(row->kernel)] = row;
    return byKernel;
  }();
  return rows.lookup(unsigned(kernel));
}

llvm::ArrayRef<unsigned> GlobalValues::readers(KernelId kernel, unsigned k, RootId root) const {
  auto at = readers_.find(readerKey(kernel, k, root));
  return at == readers_.end() ? llvm::ArrayRef<unsigned>() : llvm::ArrayRef<unsigned>(at->second);
}

bool GlobalValues::isZero(ViewId id, llvm::ArrayRef<ListId> held, int depth) const {
  const View &view = views_[id];
  const int producer = roots_[view.root].producer;
  std::optional<Lists> positions = lists_.refold(view.shape, held, view.sizes, {});
  auto isFree = [&](ListId list) { return lists_.isFree(list); };
  if (producer < 0 || depth == 0 || !positions || llvm::any_of(*positions, isFree)) return false;
  const GlobalNode &node = nodes_[size_t(producer)];
  if (node.results.size() != 1) return false;
  const OperatorIndices &indices = *node.indices;
  Lists leaves;
  for (int64_t size : indices.sizes)
    leaves.push_back(lists_.whole(size));
  for (auto [d, dim] : indexed(indices.outs[0])) {
    Lists parts(dim.leaves.size(), 0);
    if (!listsOfLeaves(lists_, indices, dim, lists_.select(view.window[d], (*positions)[d]), parts)) return false;
    for (auto [i, leaf] : indexed(dim.leaves))
      leaves[leaf] = parts[i];
  }
  auto isZeroOperand = [&](unsigned k) {
    const GlobalOperand &operand = node.operands[k];
    Lists own;
    for (const auto &dim : indices.ins[k]) {
      std::optional<ListId> list = listOfDim(lists_, indices, dim, leaves);
      if (!list) return false;
      own.push_back(*list);
    }
    if (lists_.elements(own) == 0) return true; // another segment
    if (operand.kind == GlobalOperand::Kind::Fill) return operand.fill == 0;
    return operand.kind == GlobalOperand::Kind::Value && isZero(operand.view, own, depth - 1);
  };
  if (llvm::StringRef(node.row->name) == "concat" || node.row->linearity == Linearity::Together)
    return llvm::all_of(llvm::seq<size_t>(0, node.operands.size()),
                        [&](size_t k) { return isZeroOperand(unsigned(k)); });
  return node.row->linearity == Linearity::Each && node.operands.size() == 1 && isZeroOperand(0);
}

RootId GlobalValues::addRoot(const Type &type, llvm::StringRef name) {
  roots_.push_back({type, name.str(), {}, -1});
  return RootId(roots_.size() - 1);
}

ViewId GlobalValues::addView(View view) {
  ByteKey key;
  key.add(view.root).addList(llvm::ArrayRef<ListId>(view.window)).addList(llvm::ArrayRef<int64_t>(view.shape));
  auto [at, isNew] = knownViews_.try_emplace(std::move(key), ViewId(views_.size()));
  if (isNew) {
    view.sizes = lists_.lengths(view.window);
    const ViewId made = at->second;
    roots_[view.root].views.push_back(made);
    views_.push_back(view);
    segments_.push_back(std::nullopt);
    segments_[made] = segmentOf(view);
    return made;
  }
  return at->second;
}

GlobalOperand GlobalValues::whole(RootId root) {
  GlobalOperand operand;
  operand.type = roots_[root].type;
  Lists window;
  for (int64_t size : operand.type.shape)
    window.push_back(lists_.whole(size));
  operand.view = addView({root, window, {}, operand.type.shape});
  return operand;
}

RootId GlobalValues::addMaster(RootId parameter) {
  return addRoot(Type{DType::F32, roots_[parameter].type.shape}, "the master weights of " + roots_[parameter].name);
}

GlobalOperand GlobalValues::inF32(const GlobalOperand &value) {
  GlobalOperand wide = value;
  wide.type.dtype = DType::F32;
  if (value.type.dtype == DType::F32 || value.kind != GlobalOperand::Kind::Value) return wide;
  GlobalNode cast;
  cast.row = findOp("cast");
  cast.attributes = &attributes_.emplace_back();
  cast.operands = {value};
  cast.resultTypes = {wide.type};
  return whole(number(std::move(cast), roots_[views_[value.view].root].name + " in f32").results[0]);
}

void GlobalValues::visit(const Graph &graph, const Node &node) {
  const Type &type = graph.type(node.results[0]);
  GlobalOperand &result = values_[node.results[0]];
  if (node.is("full")) {
    result.kind = GlobalOperand::Kind::Fill;
    result.fill = node.attributes.real("value");
    result.type = type;
    return;
  }
  if (node.is("reshape")) {
    result = values_[node.operands[0]];
    result.type = type;
    if (result.kind == GlobalOperand::Kind::Value) {
      View view = views_[result.view];
      view.shape = type.shape;
      result.view = addView(std::move(view));
    }
    return;
  }
  if (node.is("slice"))
    if (std::optional<GlobalOperand> part = sliceOf(node, values_[node.operands[0]], type)) {
      result = *part;
      return;
    }
  GlobalNode made;
  made.row = &opOf(node);
  made.attributes = &node.attributes;
  made.origin = node.origin;
  for (ValueId operand : node.operands)
    made.operands.push_back(values_[operand]);
  llvm::SmallVector<GlobalOperand, 4> fewer;
  if (node.is("concat")) fewer = neighboursJoined(made.operands, size_t(node.attributes.integer("axis")));
  if (fewer.size() == 1) {
    result = fewer[0];
    return;
  }
  for (ValueId value : node.results)
    made.resultTypes.push_back(graph.type(value));
  GlobalNode &known = number(std::move(made), graph.value(node.results[0]).name);
  addFormula(known);
  for (auto [j, value] : indexed(node.results))
    values_[value] = whole(known.results[j]);
  if (node.is("cross_entropy")) addShardedLoss(known);
  if (fewer.empty() || fewer.size() == known.operands.size()) return;
  GlobalNode shorter = known;
  shorter.operands = std::move(fewer);
  number(std::move(shorter), "");
}

/// An operator that runs over all of an index may be computed by its formula. Where the graph has that, too, both are one
/// value.
void GlobalValues::addFormula(GlobalNode &whole) {
  Types types;
  for (const GlobalOperand &operand : whole.operands)
    types.push_back(operand.type);
  std::vector<GlobalOperand> values(whole.operands.begin(), whole.operands.end());
  const auto steps = llvm::cantFail(typedSteps(whole.row->formula, types, *whole.attributes, {}));
  for (auto [i, step] : indexed(steps)) {
    GlobalNode node;
    node.row = step.row;
    node.attributes = &attributes_.emplace_back(step.attributes);
    node.origin = whole.origin;
    for (unsigned operand : step.operands)
      node.operands.push_back(values[operand]);
    node.resultTypes = {step.result};
    const bool isLast = i + 1 == steps.size();
    if (isLast) node.results = whole.results;
    const GlobalNode &known = number(std::move(node), "what " + std::string(whole.row->name) + " computes");
    if (isLast) whole.results = known.results;
    values.push_back(this->whole(known.results[0]));
  }
}

std::optional<GlobalOperand> GlobalValues::sliceOf(const Node &node, const GlobalOperand &of, const Type &type) {
  if (of.kind != GlobalOperand::Kind::Value) return std::nullopt;
  View view = views_[of.view];
  const size_t axis = size_t(node.attributes.integer("axis"));
  const int64_t start = node.attributes.integer("start"), step = node.attributes.integer("step", 1);
  llvm::SmallVector<Interval, 4> own;
  for (int64_t i = 0; i < type.shape[axis] && step > 1; ++i)
    own.push_back({start + i * step, start + i * step + 1});
  if (step == 1) own.push_back({start, start + type.shape[axis]});
  Lists taken;
  for (size_t d = 0; d < view.shape.size(); ++d)
    taken.push_back(d == axis ? lists_.of(own) : lists_.whole(view.shape[d]));
  auto positions = lists_.refold(view.shape, taken, view.sizes, {});
  if (!positions) return std::nullopt;
  for (auto [d, list] : indexed(view.window))
    list = lists_.select(list, (*positions)[d]);
  view.shape = type.shape;
  GlobalOperand part;
  part.type = type;
  part.view = addView(std::move(view));
  return part;
}

/// Parts of one root, one after the other: another part of it, where they differ in one dimension that is the joined one.
std::optional<GlobalOperand> GlobalValues::joined(const GlobalOperand &a, const GlobalOperand &b, size_t axis) {
  if (a.kind != GlobalOperand::Kind::Value || b.kind != GlobalOperand::Kind::Value) return std::nullopt;
  View all = views_[a.view];
  const View next = views_[b.view];
  if (next.root != all.root) return std::nullopt;
  auto before = [](llvm::ArrayRef<int64_t> sizes, size_t d) { return elementsOf(sizes.take_front(d)); };
  auto after = [](llvm::ArrayRef<int64_t> sizes, size_t d) { return elementsOf(sizes.drop_front(d + 1)); };
  for (size_t d = 0; d < all.sizes.size(); ++d) { // of the root
    if (before(all.sizes, d) != before(all.shape, axis) || after(all.sizes, d) != after(all.shape, axis)) continue;
    Lists others = next.window;
    others[d] = all.window[d];
    const std::optional<ListId> list = lists_.joined(all.window[d], next.window[d]);
    if (others != all.window || !list) continue;
    all.window[d] = *list;
    all.shape[axis] += b.type.shape[axis];
    GlobalOperand result = a;
    result.type.shape = all.shape;
    result.view = addView(std::move(all));
    return result;
  }
  return std::nullopt;
}

/// Neighbours that are one part of a root, as one.
llvm::SmallVector<GlobalOperand, 4> GlobalValues::neighboursJoined(llvm::ArrayRef<GlobalOperand> operands,
                                                                   size_t axis) {
  llvm::SmallVector<GlobalOperand, 4> fewer;
  for (const GlobalOperand &operand : operands) {
    const auto both = fewer.empty() ? std::nullopt : joined(fewer.back(), operand, axis);
    if (both)
      fewer.back() = *both;
    else
      fewer.push_back(operand);
  }
  return fewer;
}

/// A view of a concat's result that is all within one of its operands.
std::optional<ViewId> GlobalValues::segmentOf(const View &view) {
  if (roots_[view.root].producer < 0 || lists_.elements(view.window) == 0 || !isConcat(view.root)) return std::nullopt;
  const GlobalNode &node = nodes_[size_t(roots_[view.root].producer)];
  const auto axis = size_t(node.attributes->integer("axis"));
  int64_t begin = 0;
  for (const GlobalOperand &operand : node.operands) {
    const int64_t end = begin + operand.type.shape[axis];
    Lists own = view.window;
    own[axis] = lists_.within(own[axis], begin, end);
    begin = end;
    if (lists_.length(own[axis]) != lists_.length(view.window[axis])) continue;
    if (operand.kind != GlobalOperand::Kind::Value) return std::nullopt;
    View inner = views_[operand.view];
    std::optional<Lists> positions = lists_.refold(inner.shape, own, inner.sizes, {});
    if (!positions) return std::nullopt;
    for (auto [d, list] : indexed(inner.window))
      list = lists_.select(list, (*positions)[d]);
    inner.shape = view.shape;
    return addView(std::move(inner));
  }
  return std::nullopt;
}

ByteKey GlobalValues::keyOf(const GlobalNode &node, bool hasOperands) const {
  ByteKey key;
  key.add(node.row);
  addAttributes(key, *node.attributes);
  for (const GlobalOperand &operand : node.operands) {
    addType(key, operand.type);
    if (!hasOperands) continue;
    key.add(operand.kind).add(operand.view).add(operand.constant).add(operand.fill);
  }
  for (const Type &type : node.resultTypes)
    addType(key, type);
  return key;
}

const OperatorIndices *GlobalValues::indicesOf(const GlobalNode &node) {
  auto [at, isNew] = indices_.try_emplace(keyOf(node, false));
  if (isNew) {
    Types operands;
    for (const GlobalOperand &operand : node.operands)
      operands.push_back(operand.type);
    at->second = operatorIndices(*node.row, {operands, *node.attributes, node.resultTypes});
  }
  return &at->second;
}

GlobalNode &GlobalValues::number(GlobalNode node, llvm::StringRef name) {
  auto [at, isNew] = knownNodes_.try_emplace(keyOf(node, true), unsigned(nodes_.size()));
  if (!isNew) return nodes_[at->second];
  node.indices = indicesOf(node);
  if (node.results.empty())
    for (const Type &type : node.resultTypes)
      node.results.push_back(addRoot(type, name));
  for (RootId root : node.results)
    if (roots_[root].producer < 0) roots_[root].producer = int(at->second);
  bool hasValue = false;
  for (auto [k, operand] : indexed(node.operands)) {
    if (operand.kind != GlobalOperand::Kind::Value) continue;
    hasValue = true;
    for (std::optional<ViewId> view = operand.view; view; view = segments_[*view])
      readers_[readerKey(node.row->kernel, unsigned(k), views_[*view].root)].push_back(at->second);
  }
  if (!hasValue) readers_[readerKey(node.row->kernel, kConstants, 0)].push_back(at->second);
  nodes_.push_back(std::move(node));
  return nodes_.back();
}

/// cross_entropy over sharded classes: the rows' maxima, then sums of exponentials and the targets' logits, then the
/// results of the whole operator (kernels.def).
void GlobalValues::addShardedLoss(const GlobalNode &loss) {
  const Type &rows = loss.resultTypes[2];
  const int64_t ignored = loss.attributes->integer("ignore_index", -100);
  llvm::SmallVector<int64_t, 6> classes = {1};
  GlobalNode largest;
  largest.row = findOp("reduce_max");
  largest.attributes = &attributes_.emplace_back(Attributes{{"axes", classes}, {"keepdims", int64_t(0)}});
  largest.origin = loss.origin;
  largest.operands = {loss.operands[0]};
  largest.resultTypes = {Type{loss.operands[0].type.dtype, rows.shape}};
  const RootId maximum = number(largest, "the maximum of each row").results[0];
  GlobalNode sums;
  sums.row = findOp("cross_entropy_local");
  sums.attributes = &attributes_.emplace_back(Attributes{{"ignore_index", ignored}});
  sums.origin = loss.origin;
  sums.operands = {loss.operands[0], loss.operands[1], whole(maximum)};
  sums.resultTypes = {Type{rows.dtype, {2, rows.shape[0]}}};
  const RootId summed = number(sums, "the sums of each row").results[0];
  GlobalNode finish;
  finish.row = findOp("cross_entropy_finish");
  finish.attributes = &attributes_.emplace_back(Attributes{{"ignore_index", ignored}});
  finish.origin = loss.origin;
  finish.operands = {whole(summed), whole(maximum), loss.operands[1]};
  finish.results = loss.results;
  finish.resultTypes = loss.resultTypes;
  number(finish, "");
}

} // namespace autotp

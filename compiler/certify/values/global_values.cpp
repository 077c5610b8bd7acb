#include "compiler/certify/values/global_values.h"

#include "compiler/certify/values/index_lists.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

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
  if (std::optional<GlobalOperand> seen = lookedAt(node, graph.type(node.results[0])))
    values_[node.results[0]] = *seen;
  else
    compute(graph, node);
}

/// Returns the result of a node that computes nothing.
std::optional<GlobalOperand> GlobalValues::lookedAt(const Node &node, const Type &type) {
  if (node.is("full")) {
    GlobalOperand fill;
    fill.kind = GlobalOperand::Kind::Fill;
    fill.fill = node.attributes.real("value");
    fill.type = type;
    return fill;
  }
  if (node.is("slice")) return sliceOf(node, values_[node.operands[0]], type);
  if (!node.is("reshape")) return std::nullopt;
  GlobalOperand result = values_[node.operands[0]];
  result.type = type;
  if (result.kind == GlobalOperand::Kind::Value) {
    View view = views_[result.view];
    view.shape = type.shape;
    result.view = addView(std::move(view));
  }
  return result;
}

void GlobalValues::compute(const Graph &graph, const Node &node) {
  GlobalNode made;
  made.row = &opOf(node);
  made.attributes = &node.attributes;
  made.origin = node.origin;
  for (ValueId operand : node.operands)
    made.operands.push_back(values_[operand]);
  llvm::SmallVector<GlobalOperand, 4> fewer;
  if (node.is("concat")) fewer = neighboursJoined(made.operands, size_t(node.attributes.integer("axis")));
  if (fewer.size() == 1) {
    values_[node.results[0]] = fewer[0];
    return;
  }
  for (ValueId value : node.results)
    made.resultTypes.push_back(graph.type(value));
  GlobalNode &known = number(std::move(made), graph.value(node.results[0]).name);
  addFormula(known);
  for (auto [j, value] : indexed(node.results))
    values_[value] = whole(known.results[j]);
  if (fewer.empty() || fewer.size() == known.operands.size()) return;
  GlobalNode shorter = known;
  shorter.operands = std::move(fewer);
  number(std::move(shorter), "");
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

} // namespace autotp

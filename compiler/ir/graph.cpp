#include "compiler/ir/graph.h"

#include "compiler/ir/constant_pool.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

#include <cassert>

namespace autotp {

Attributes::Attributes(std::initializer_list<std::pair<std::string, Value>> values) {
  for (const auto &[name, value] : values)
    set(name, value);
}

void Attributes::set(llvm::StringRef name, Value value) {
  auto at = llvm::lower_bound(values_, name, [](const auto &row, llvm::StringRef key) { return row.first < key; });
  if (at != values_.end() && at->first == name)
    at->second = std::move(value);
  else
    values_.insert(at, {name.str(), std::move(value)});
}

const Attributes::Value *Attributes::find(llvm::StringRef name) const {
  for (const auto &row : values_)
    if (row.first == name) return &row.second;
  return nullptr;
}

int64_t Attributes::integer(llvm::StringRef name, int64_t otherwise) const {
  const Value *value = find(name);
  return value ? std::get<int64_t>(*value) : otherwise;
}

double Attributes::real(llvm::StringRef name, double otherwise) const {
  const Value *value = find(name);
  if (!value) return otherwise;
  const int64_t *integer = std::get_if<int64_t>(value); // text that a person writes says 1 for 1.0
  return integer ? double(*integer) : std::get<double>(*value);
}

std::string Attributes::text(llvm::StringRef name) const {
  const Value *value = find(name);
  return value ? std::get<std::string>(*value) : std::string();
}

llvm::ArrayRef<int64_t> Attributes::integers(llvm::StringRef name) const {
  const Value *value = find(name);
  return value ? llvm::ArrayRef<int64_t>(std::get<llvm::SmallVector<int64_t, 6>>(*value)) : llvm::ArrayRef<int64_t>();
}

/// About what a value or a node takes beside its contents.
static constexpr double kBytesOfValue = 512;

/// Names in use, with the next number to try for each stem. Copies of a graph share it, so the table only grows.
struct Graph::NameTable {
  llvm::StringMap<unsigned> next;
};

std::string Graph::uniqueName(llvm::StringRef wanted) {
  if (!names_) names_ = std::make_shared<NameTable>();
  auto [at, isNew] = names_->next.try_emplace(wanted, 1);
  if (isNew) return wanted.str();
  while (true) {
    std::string name = (wanted + "_" + llvm::Twine(at->second++)).str();
    if (names_->next.try_emplace(name, 1).second) return name;
  }
}

ValueId Graph::addSource(ValueKind kind, llvm::StringRef name, Type type, std::optional<Tensor> contents) {
  Value value;
  value.type = std::move(type);
  value.name = uniqueName(name);
  value.kind = kind;
  value.contents = std::move(contents);
  values_.push_back(std::move(value));
  return ValueId(values_.size() - 1);
}

ValueId Graph::addConstant(llvm::StringRef name, Tensor contents) {
  if (!constants_) constants_ = std::make_shared<ConstantPool>();
  const bool isNew = constants_->share(contents);
  if (budget) {
    budget->takeOperations(double(contents.type.elements()));
    budget->takeBytes(kBytesOfValue + (isNew ? double(contents.bytes.size()) : 0));
  }
  Type type = contents.type;
  return addSource(ValueKind::Constant, name, std::move(type), std::move(contents));
}

NodeId Graph::addNode(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, llvm::ArrayRef<Type> resultTypes,
                      Attributes attributes, llvm::StringRef origin, NodeId before) {
  NodeId id = NodeId(nodes_.size());
  if (budget) budget->takeBytes(kBytesOfValue * double(1 + resultTypes.size()) + double(origin.size()));
  Node node;
  node.op = op;
  node.operands.assign(operands.begin(), operands.end());
  node.attributes = std::move(attributes);
  node.origin = origin.str();
  for (const auto &[index, type] : indexed(resultTypes)) {
    Value value;
    value.type = type;
    value.name = uniqueName(op);
    value.producer = id;
    value.result = unsigned(index);
    node.results.push_back(ValueId(values_.size()));
    values_.push_back(std::move(value));
  }
  for (const auto &[index, operand] : indexed(operands))
    values_[operand].uses.push_back({id, unsigned(index)});
  node.next = before;
  node.previous = before == kNone ? last_ : nodes_[before].previous;
  nodes_.push_back(std::move(node));
  NodeId previous = nodes_[id].previous;
  (previous == kNone ? first_ : nodes_[previous].next) = id;
  (before == kNone ? last_ : nodes_[before].previous) = id;
  return id;
}

NodeId Graph::addCopy(const Graph &from, NodeId node, llvm::ArrayRef<ValueId> operands, NodeId before) {
  const Node &source = from.node(node); // if it is of this graph, addNode() moves it
  llvm::SmallVector<Type, 2> types;
  for (ValueId result : source.results)
    types.push_back(from.type(result));
  const bool backward = source.backward;
  const NodeId made = addNode(source.op, operands, types, source.attributes, source.origin, before);
  nodes_[made].backward = backward;
  return made;
}

void Graph::erase(NodeId id) {
  Node &node = nodes_[id];
  assert(!node.erased && "erased twice");
  for (ValueId result : node.results) {
    assert(values_[result].uses.empty() && "erased while used");
    (void)result;
  }
  for (const auto &[index, operand] : indexed(node.operands))
    llvm::erase_value(values_[operand].uses, Use{id, unsigned(index)});
  (node.previous == kNone ? first_ : nodes_[node.previous].next) = node.next;
  (node.next == kNone ? last_ : nodes_[node.next].previous) = node.previous;
  node.erased = true;
}

void Graph::replaceAllUses(ValueId from, ValueId to) {
  if (from == to) return;
  for (Use use : values_[from].uses) {
    nodes_[use.node].operands[use.operand] = to;
    values_[to].uses.push_back(use);
  }
  values_[from].uses.clear();
  for (Output &output : outputs)
    if (output.value == from) output.value = to;
}

void Graph::setOperand(NodeId node, unsigned operand, ValueId to) {
  ValueId &at = nodes_[node].operands[operand];
  llvm::erase_value(values_[at].uses, Use{node, operand});
  at = to;
  values_[to].uses.push_back({node, operand});
}

void Graph::setKind(ValueId value, ValueKind kind) {
  assert(values_[value].producer == kNone);
  values_[value].kind = kind;
}

void Graph::rename(ValueId value, llvm::StringRef name) { values_[value].name = uniqueName(name); }

void Graph::removeDead(llvm::function_ref<bool(const Node &)> keeps) {
  std::vector<bool> isNeeded(values_.size(), false);
  for (const Output &output : outputs)
    isNeeded[output.value] = true;
  for (NodeId id = last_; id != kNone;) {
    Node &node = nodes_[id];
    NodeId previous = node.previous;
    if (llvm::any_of(node.results, [&](ValueId r) { return isNeeded[r]; }) || (keeps && keeps(node))) {
      for (ValueId operand : node.operands)
        isNeeded[operand] = true;
    } else {
      erase(id);
    }
    id = previous;
  }
}

std::vector<NodeId> Graph::order() const {
  std::vector<NodeId> ids;
  for (NodeId id = first_; id != kNone; id = nodes_[id].next)
    ids.push_back(id);
  return ids;
}

std::vector<ValueId> Graph::sources(ValueKind kind) const {
  std::vector<ValueId> ids;
  for (ValueId id = 0; id < values_.size(); ++id)
    if (values_[id].kind == kind && values_[id].producer == kNone) ids.push_back(id);
  return ids;
}

ValueId Graph::output(llvm::StringRef name) const {
  for (const Output &output : outputs)
    if (output.name == name) return output.value;
  return kNone;
}

bool Graph::isOutput(ValueId value) const {
  return llvm::any_of(outputs, [&](const Output &output) { return output.value == value; });
}

} // namespace autotp

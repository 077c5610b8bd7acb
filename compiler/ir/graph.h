/// \file The IR: a graph of typed values in SSA form (docs/ir.md). Nodes name an operator, whose facts are in
/// compiler/ops.
#pragma once

#include "compiler/ir/budget.h"
#include "compiler/ir/ids.h"
#include "compiler/ir/tensor.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace autotp {

/// A state outlives a run of the program, as accumulators and optimizer states do.
enum class ValueKind : uint8_t { Input, Parameter, Constant, State, Result };

struct Use {
  NodeId node;
  unsigned operand;
  bool operator==(const Use &other) const { return node == other.node && operand == other.operand; }
};

struct Value {
  Type type;
  std::string name; ///< unique in the graph; the ONNX name if there is one
  ValueKind kind = ValueKind::Result;
  NodeId producer = kNone;        ///< the node that computes a Result
  unsigned result = 0;            ///< index among the results of the producer
  std::optional<Tensor> contents; ///< of every Constant, and of a Parameter whose initial value is known
  llvm::SmallVector<Use, 2> uses;
};

/// Attributes of a node, sorted by name.
class Attributes {
public:
  using Value = std::variant<int64_t, double, std::string, llvm::SmallVector<int64_t, 6>>;

  /// The getters return `otherwise`, or an empty value, if the attribute is absent. If it is present, it must be of
  /// that kind.
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, Value>> values);
  void set(llvm::StringRef name, Value value);
  bool has(llvm::StringRef name) const { return find(name) != nullptr; }
  int64_t integer(llvm::StringRef name, int64_t otherwise = 0) const;
  double real(llvm::StringRef name, double otherwise = 0) const;
  std::string text(llvm::StringRef name) const;
  llvm::ArrayRef<int64_t> integers(llvm::StringRef name) const;
  llvm::ArrayRef<std::pair<std::string, Value>> all() const { return values_; }
  bool operator==(const Attributes &other) const { return values_ == other.values_; }

private:
  const Value *find(llvm::StringRef name) const;
  std::vector<std::pair<std::string, Value>> values_;
};

struct Node {
  llvm::StringRef op; ///< the name of a row of the operator table, in static storage
  llvm::SmallVector<ValueId, 4> operands;
  llvm::SmallVector<ValueId, 2> results;
  Attributes attributes;
  std::string origin; ///< the ONNX node, or the purpose for which a pass made the node; messages and profiles show it
  bool backward = false; ///< whether differentiation made it; reports count such nodes apart
  bool erased = false;
  NodeId previous = kNone, next = kNone;

  bool is(llvm::StringRef name) const { return op == name; }
};

struct Output {
  std::string name; ///< "loss", "count", or the name of an ONNX output
  ValueId value;
};

/// A tensor that is trained, with all names that the file gives it.
struct ParameterInfo {
  ValueId value;
  struct Alias {
    std::string name;
    bool transposed;
  };
  llvm::SmallVector<Alias, 1> aliases; ///< other initializers that were tied to it
};

class ConstantPool;

/// Nodes are in execution order. Ids stay valid as long as the graph lives; those of erased nodes are not given again.
/// Not thread-safe.
class Graph {
public:
  ValueId addInput(llvm::StringRef name, Type type) { return addSource(ValueKind::Input, name, std::move(type), {}); }
  ValueId addParameter(llvm::StringRef name, Type type, std::optional<Tensor> contents = {}) {
    return addSource(ValueKind::Parameter, name, std::move(type), std::move(contents));
  }
  ValueId addState(llvm::StringRef name, Type type) { return addSource(ValueKind::State, name, std::move(type), {}); }
  /// Contents that another constant of the graph has too are held once. Takes from the budget.
  ValueId addConstant(llvm::StringRef name, Tensor contents);
  /// Adds a node before `before`, or at the end for kNone. The types must be right: Builder of compiler/ops infers
  /// them.
  NodeId addNode(llvm::StringRef op, llvm::ArrayRef<ValueId> operands, llvm::ArrayRef<Type> resultTypes,
                 Attributes attributes, llvm::StringRef origin, NodeId before = kNone);
  /// Adds a copy of a node of `from`, which may be this graph, with other operands.
  NodeId addCopy(const Graph &from, NodeId node, llvm::ArrayRef<ValueId> operands, NodeId before = kNone);
  /// Erases a node, whose results must be unused.
  void erase(NodeId node);
  /// Makes all uses of `from`, in nodes and as outputs, uses of `to`.
  void replaceAllUses(ValueId from, ValueId to);
  void setOperand(NodeId node, unsigned operand, ValueId to);
  /// Makes a parameter a constant, or a constant a parameter. Both are sources with contents.
  void setKind(ValueId value, ValueKind kind);
  /// Gives the value this name, with a number appended if it is taken.
  void rename(ValueId value, llvm::StringRef name);
  /// Erases nodes that no output needs, but for those of which `keeps` is true. Inputs and parameters stay.
  void removeDead(llvm::function_ref<bool(const Node &)> keeps = nullptr);

  Value &value(ValueId id) { return values_[id]; }
  const Value &value(ValueId id) const { return values_[id]; }
  Node &node(NodeId id) { return nodes_[id]; }
  const Node &node(NodeId id) const { return nodes_[id]; }
  const Type &type(ValueId id) const { return values_[id].type; }
  /// The node that computes `value`, or null for a source.
  const Node *producer(ValueId value) const {
    return values_[value].producer == kNone ? nullptr : &nodes_[values_[value].producer];
  }
  size_t numValues() const { return values_.size(); }
  size_t numNodes() const { return nodes_.size(); } ///< erased nodes are counted as well
  NodeId first() const { return first_; }
  NodeId last() const { return last_; }
  /// A copy of the current order of nodes, so that a pass may add and erase nodes while it walks over it.
  std::vector<NodeId> order() const;
  /// Sources of this kind in the order in which they were added.
  std::vector<ValueId> sources(ValueKind kind) const;
  /// `wanted`, with a number appended if the name is taken.
  std::string uniqueName(llvm::StringRef wanted);

  /// What nodes and constants may take until the graph is complete; null: any amount. Copies of the graph share it.
  std::shared_ptr<Budget> budget;
  std::vector<Output> outputs;
  std::vector<ParameterInfo> parameters; ///< filled by classify-parameters

  /// The value of the output `name`, or kNone.
  ValueId output(llvm::StringRef name) const;
  bool isOutput(ValueId value) const;

private:
  ValueId addSource(ValueKind kind, llvm::StringRef name, Type type, std::optional<Tensor> contents);

  std::deque<Value> values_; ///< deques, so that references stay valid while values and nodes are added
  std::deque<Node> nodes_;
  NodeId first_ = kNone, last_ = kNone;
  struct NameTable;
  std::shared_ptr<NameTable> names_;
  std::shared_ptr<ConstantPool> constants_; ///< shared by copies
};

} // namespace autotp

#include "passes/import/order_nodes.h"

#include "runtime/base/indexed.h"

namespace autotp {
namespace {

class Orderer {
public:
  explicit Orderer(const Graph &from) : from_(from), values_(from.numValues(), kNone) {}

  Graph run() {
    for (ValueKind kind : {ValueKind::Input, ValueKind::Parameter})
      for (ValueId id : from_.sources(kind))
        addSource(id);
    for (const Output &output : from_.outputs) {
      walk(output.value);
      to_.outputs.push_back({output.name, values_[output.value]});
    }
    for (const ParameterInfo &parameter : from_.parameters)
      to_.parameters.push_back({values_[parameter.value], parameter.aliases});
    to_.budget = from_.budget; // which has what was copied already
    return std::move(to_);
  }

private:
  void addSource(ValueId id) {
    const Value &value = from_.value(id);
    if (value.kind == ValueKind::Input) values_[id] = to_.addInput(value.name, value.type);
    if (value.kind == ValueKind::Parameter) values_[id] = to_.addParameter(value.name, value.type, value.contents);
    if (value.kind == ValueKind::Constant) values_[id] = to_.addConstant("c", *value.contents);
  }

  /// Visits operands first, from the left. It has a stack of its own instead of recursion, since graphs are deep.
  void walk(ValueId root) {
    llvm::SmallVector<ValueId, 64> worklist = {root};
    while (!worklist.empty()) {
      ValueId id = worklist.back();
      const Node *node = from_.producer(id);
      if (values_[id] != kNone || !node) {
        if (values_[id] == kNone) addSource(id);
        worklist.pop_back();
        continue;
      }
      size_t before = worklist.size();
      for (ValueId operand : llvm::reverse(node->operands))
        if (values_[operand] == kNone) worklist.push_back(operand);
      if (worklist.size() > before) continue;
      copy(from_.value(id).producer);
      worklist.pop_back();
    }
  }

  void copy(NodeId id) {
    llvm::SmallVector<ValueId, 4> operands;
    for (ValueId operand : from_.node(id).operands)
      operands.push_back(values_[operand]);
    const NodeId made = to_.addCopy(from_, id, operands);
    for (const auto &[j, result] : indexed(from_.node(id).results))
      values_[result] = to_.node(made).results[j];
  }

  const Graph &from_;
  Graph to_;
  std::vector<ValueId> values_; // by ValueId of the old graph
};

} // namespace

void orderNodes(Graph &graph) { graph = Orderer(graph).run(); }

} // namespace autotp

#include "compiler/certify/state/schedule.h"

#include "compiler/certify/operators/call_attributes.h"
#include "compiler/ir/updates.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

namespace autotp {

Schedule::Schedule(const Updates &updates) : updates_(updates), graph_(updates.schedule) {}

std::optional<ValueId> Schedule::source(ValueKind kind, llvm::StringRef name) const {
  for (ValueId value : graph_.sources(kind))
    if (graph_.value(value).name == name) return value;
  return std::nullopt;
}

ValueId Schedule::next(ValueId state) const { return graph_.output(Updates::nextName(graph_.value(state).name)); }

const Tensor &Schedule::initial(ValueId state) const {
  const std::vector<ValueId> states = graph_.sources(ValueKind::State);
  return updates_.initial[size_t(llvm::find(states, state) - states.begin())];
}

ValueId Schedule::root(ValueId value) const {
  for (const Node *node = graph_.producer(value); node && opOf(*node).isView(); node = graph_.producer(value))
    value = node->operands[0];
  return value;
}

std::optional<ValueId> Schedule::nextOf(const Content *before, const Content *after) const {
  for (ValueId state : graph_.sources(ValueKind::State))
    if (holds(before, state) && holds(after, next(state))) return root(next(state));
  return std::nullopt;
}

bool Schedule::holds(const Content *content, ValueId value) const {
  if (!content) return false;
  if (const auto *scalar = content->as<ScheduleValue>()) return scalar->value == root(value);
  const Value &wanted = graph_.value(root(value));
  const auto *constant = content->as<Constant>();
  if (!constant || wanted.kind != ValueKind::Constant) return false;
  const llvm::ArrayRef<uint8_t> bytes = wanted.contents->bytes;
  return content->dtype == wanted.type.dtype && constant->data.size() == bytes.size() &&
         std::equal(bytes.begin(), bytes.end(), constant->data.begin(),
                    [](uint8_t a, char b) { return a == uint8_t(b); });
}

bool Schedule::isNode(const Node &node, const plan::KernelCall &call, llvm::ArrayRef<const Content *> operands) const {
  if (opOf(node).kernel != KernelId(call.kernel()) || node.operands.size() != operands.size() ||
      node.results.size() != 1 || call.results_size() != 1)
    return false;
  if (llvm::Error error = checkAttributes(call, node.attributes)) {
    llvm::consumeError(std::move(error));
    return false;
  }
  for (auto [k, operand] : indexed(operands))
    if (!holds(operand, node.operands[k])) return false;
  return true;
}

std::optional<ValueId> Schedule::resultOf(const plan::KernelCall &call,
                                          llvm::ArrayRef<const Content *> operands) const {
  for (NodeId id : graph_.order())
    if (isNode(graph_.node(id), call, operands)) return graph_.node(id).results[0];
  return std::nullopt;
}

} // namespace autotp

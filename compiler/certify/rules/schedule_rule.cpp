#include "compiler/certify/rules/schedule_rule.h"

#include "compiler/certify/operators/call_attributes.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

namespace autotp {

std::optional<ValueId> ScheduleRule::source(ValueKind kind, llvm::StringRef name) const {
  for (ValueId value : graph_.sources(kind))
    if (graph_.value(value).name == name) return value;
  return std::nullopt;
}

const Tensor &ScheduleRule::initial(ValueId state) const {
  const std::vector<ValueId> states = graph_.sources(ValueKind::State);
  return updates_.initial[size_t(llvm::find(states, state) - states.begin())];
}

ValueId ScheduleRule::root(ValueId value) const {
  for (const Node *node = graph_.producer(value); node && opOf(*node).isView; node = graph_.producer(value))
    value = node->operands[0];
  return value;
}

std::optional<ValueId> ScheduleRule::nextOf(const Content *before, const Content *after) const {
  for (ValueId state : graph_.sources(ValueKind::State))
    if (holds(before, state) && holds(after, next(state))) return root(next(state));
  return std::nullopt;
}

bool ScheduleRule::holds(const Content *content, ValueId value) const {
  if (!content) return false;
  const Value &wanted = graph_.value(root(value));
  if (content->kind == Content::Kind::Scalar) return content->scalar == root(value);
  if (content->kind != Content::Kind::Constant || wanted.kind != ValueKind::Constant) return false;
  const llvm::ArrayRef<uint8_t> bytes = wanted.contents->bytes;
  return content->dtype == wanted.type.dtype && content->data.size() == bytes.size() &&
         std::equal(bytes.begin(), bytes.end(), content->data.begin(),
                    [](uint8_t a, char b) { return a == uint8_t(b); });
}

std::optional<ValueId> ScheduleRule::resultOf(const plan::KernelCall &call,
                                              llvm::ArrayRef<const Content *> operands) const {
  std::string why;
  for (NodeId id : graph_.order()) {
    const Node &node = graph_.node(id);
    if (opOf(node).kernel != KernelId(call.kernel()) || node.operands.size() != operands.size() ||
        node.results.size() != 1 || call.results_size() != 1)
      continue;
    bool isIt = attributesAgree(
        call, node.attributes, [](llvm::StringRef) { return false; }, why);
    for (auto [k, operand] : indexed(operands))
      isIt = isIt && holds(operand, node.operands[k]);
    if (isIt) return node.results[0];
  }
  return std::nullopt;
}

} // namespace autotp

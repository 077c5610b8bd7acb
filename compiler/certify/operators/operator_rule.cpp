#include "compiler/certify/operators/operator_rule.h"

#include "compiler/certify/operators/attempt.h"
#include "compiler/certify/refusal.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// Says what a node wants: "'mul' of node 'loss' reads 'x' f32[4,8] and a constant f32[8]".
std::string wantedBy(const GlobalNode &node, const GlobalValues &values) {
  std::string text = "'" + std::string(node.row->name) + "' of node '" + escaped(node.origin) + "' reads ";
  for (const GlobalOperand &operand : node.operands) {
    if (&operand != &node.operands.front()) text += &operand == &node.operands.back() ? " and " : ", ";
    text += operand.kind == GlobalOperand::Kind::Value
                ? "'" + escaped(values.root(values.view(operand.view).root).name) + "' "
                : "a constant ";
    text += operand.type.text();
  }
  return text;
}

/// Finds the first operand that is a part of a value of the graph.
const OperandRead *firstValue(Reads reads) {
  return llvm::find_if(reads, [](const OperandRead &read) { return read.content && read.content->as<Elements>(); });
}

/// Keeps the first of several errors.
void keepFirst(llvm::Error &first, llvm::Error next) {
  if (first)
    llvm::consumeError(std::move(next));
  else
    first = std::move(next);
}

} // namespace

bool isLinear(const GlobalNode &node, unsigned k) {
  return isLinearIn(*node.row, k, node.operands[k].type.dtype, node.resultTypes[0].dtype);
}

/// Returns all operators of which the call may be a part, the likeliest first. A value may be a part of several: of a whole
/// one, and of a slice of it, or of one that is as long in some dimension. The least that has it is the likeliest.
llvm::SmallVector<unsigned, 4> OperatorRule::candidates(const plan::KernelCall &call, Reads reads) const {
  const auto kernel = KernelId(call.kernel());
  const GlobalValues &values = symbols_.values;
  const OperandRead *known = firstValue(reads);
  const auto operand = unsigned(known - reads.begin());
  const bool hasValue = known != reads.end();
  llvm::ArrayRef<unsigned> found = hasValue ? values.readers(kernel, operand, known->content->as<Elements>()->root)
                                            : values.readersOfConstants(kernel);
  llvm::SmallVector<unsigned, 4> ordered(found.begin(), found.end());
  auto sizeOf = [&](unsigned id) {
    const GlobalNode &node = values.node(id);
    const int64_t window = hasValue ? symbols_.lists.elements(values.view(node.operands[operand].view).window) : 0;
    return std::pair(window, node.resultTypes[0].elements());
  };
  if (ordered.size() > 1) llvm::stable_sort(ordered, [&](unsigned a, unsigned b) { return sizeOf(a) < sizeOf(b); });
  return ordered;
}

llvm::Error OperatorRule::nobodyReads(Reads reads) const {
  const OperandRead *known = firstValue(reads);
  return refuse("no operator of the graph does this with " +
                (known != reads.end() ? symbols_.text(*known->content) : std::string("constants")));
}

llvm::Expected<Results> OperatorRule::proveAs(unsigned id, const plan::KernelCall &call, Reads reads) {
  const GlobalNode &node = symbols_.values.node(id);
  auto results = Attempt(symbols_, constants_, call, reads, id).run();
  if (!results) return refuse(wantedBy(node, symbols_.values) + ", and ", results.takeError());
  return results;
}

/// If constants are equal, the call may be a part of several operators, and which one is meant shows later.
llvm::Expected<Results> OperatorRule::proveAsRead(const plan::KernelCall &call, Reads reads) {
  constexpr size_t kMostAlternatives = 4;
  const bool mayBeSeveral = llvm::any_of(reads, [&](const OperandRead &read) {
    const auto *constant = read.content ? read.content->as<Constant>() : nullptr;
    return (constant && !constant->isFill()) || !symbols_.store.alternatives(read.content).empty();
  });
  llvm::Error why = llvm::Error::success();
  Results results;
  size_t found = 0;
  const auto nodes = candidates(call, reads);
  if (nodes.empty()) return nobodyReads(reads);
  for (unsigned node : nodes) {
    if (call.results_size() != int(symbols_.values.node(node).results.size())) continue;
    auto next = proveAs(node, call, reads);
    if (!next) {
      keepFirst(why, next.takeError());
      continue;
    }
    for (size_t j = 0; j < results.size(); ++j)
      if (results[j] && (*next)[j]) symbols_.store.addAlternative(results[j], (*next)[j]);
    if (results.empty()) results = std::move(*next);
    if (!mayBeSeveral || ++found > kMostAlternatives) break;
  }
  if (!results.empty()) {
    llvm::consumeError(std::move(why));
    return results;
  }
  return why ? std::move(why) : refuse("it has another number of results");
}

llvm::Expected<Results> OperatorRule::prove(const plan::KernelCall &call, Reads reads) {
  auto results = proveAsRead(call, reads);
  for (size_t k = 0; k < reads.size() && !results; ++k)
    for (const Content *other : symbols_.store.alternatives(reads[k].content)) {
      llvm::SmallVector<OperandRead, 4> instead(reads.begin(), reads.end());
      instead[k].content = other;
      auto next = proveAsRead(call, instead);
      if (!next) {
        llvm::consumeError(next.takeError());
        continue;
      }
      llvm::consumeError(results.takeError());
      return next;
    }
  return results;
}

} // namespace autotp

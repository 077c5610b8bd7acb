#include "compiler/certify/operators/node_attempt.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

/// "'mul' of node 'loss' reads 'x' f32[4,8] and a constant f32[8]"
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

} // namespace

bool isLinear(const GlobalNode &node, unsigned k) {
  return isLinearIn(*node.row, k, node.operands.size(), node.operands[k].type.dtype, node.resultTypes[0].dtype);
}

llvm::SmallVector<unsigned, 4> NodeRule::candidates(KernelId kernel, llvm::ArrayRef<OperandRead> reads,
                                                    std::string &why) const {
  const auto known = llvm::find_if(
      reads, [](const OperandRead &read) { return read.content && read.content->kind == Content::Kind::Value; });
  const auto operand = unsigned(known - reads.begin());
  const bool hasValue = known != reads.end();
  llvm::ArrayRef<unsigned> found =
      hasValue ? values_.readers(kernel, operand, known->content->root) : values_.readersOfConstants(kernel);
  if (found.empty())
    why = hasValue ? "no operator of the graph does this with " + describe(*known->content, values_, lists_)
                   : "no operator of the graph does this with constants";
  // A value may be a part of several: of a whole one, and of a slice of it, or of one that is as long in some dimension.
  // The least that has it is the likeliest.
  llvm::SmallVector<unsigned, 4> ordered(found.begin(), found.end());
  auto windowOf = [&](unsigned node) {
    const int64_t window =
        hasValue ? lists_.elements(values_.view(values_.node(node).operands[operand].view).window) : 0;
    return std::pair(window, values_.node(node).resultTypes[0].elements());
  };
  if (ordered.size() > 1) llvm::stable_sort(ordered, [&](unsigned a, unsigned b) { return windowOf(a) < windowOf(b); });
  return ordered;
}

std::vector<const Content *> NodeRule::attempt(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads,
                                               unsigned node, std::string &why) {
  std::vector<const Content *> results;
  std::string reason;
  if (call.results_size() == int(values_.node(node).results.size()) &&
      NodeAttempt(values_, lists_, contributions_, store_, moves_, call, reads, node, reason).run(results))
    return results;
  if (why.empty() && !reason.empty()) why = wantedBy(values_.node(node), values_) + ", and " + reason;
  return {};
}

/// Where constants are equal, the call may be a part of several operators, and which one is meant shows later.
std::vector<const Content *> NodeRule::proveOf(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads,
                                               std::string &why) {
  constexpr size_t kMostAlternatives = 4;
  const bool mayBeSeveral = llvm::any_of(reads, [&](const OperandRead &read) {
    return read.content && (!read.content->data.empty() || !store_.alternatives(read.content).empty());
  });
  std::vector<const Content *> results;
  size_t found = 0;
  for (unsigned node : candidates(KernelId(call.kernel()), reads, why)) {
    std::vector<const Content *> next = attempt(call, reads, node, why);
    if (next.empty()) continue;
    if (results.empty()) {
      results = std::move(next);
    } else {
      for (size_t j = 0; j < next.size(); ++j)
        if (results[j] && next[j]) store_.addAlternative(results[j], next[j]);
    }
    if (!mayBeSeveral || ++found > kMostAlternatives) break;
  }
  return results;
}

std::vector<const Content *> NodeRule::prove(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads,
                                             std::string &why) {
  std::vector<const Content *> results = proveOf(call, reads, why);
  for (size_t k = 0; k < reads.size() && results.empty(); ++k)
    for (const Content *other : store_.alternatives(reads[k].content)) {
      llvm::SmallVector<OperandRead, 4> instead(reads.begin(), reads.end());
      instead[k].content = other;
      if (results = proveOf(call, instead, why); !results.empty()) break;
    }
  return results;
}

} // namespace autotp

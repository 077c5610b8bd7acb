#include "compiler/certify/node_attempt.h"

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

std::vector<const Content *> NodeRule::prove(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads,
                                             std::string &why) {
  const KernelId kernel = KernelId(call.kernel());
  llvm::ArrayRef<unsigned> candidates;
  const Content *known = nullptr;
  unsigned operand = 0;
  for (unsigned k = 0; k < reads.size() && !known; ++k)
    if (reads[k].content && reads[k].content->kind == Content::Kind::Value) {
      known = reads[k].content;
      operand = k;
      candidates = values_.readers(kernel, k, known->root);
    }
  if (!known) candidates = values_.readersOfConstants(kernel);
  if (candidates.empty())
    why = known ? "no operator of the graph does this with " + describe(*known, values_, lists_)
                : "no operator of the graph does this with constants";
  // A value may be a part of several: of a whole one, and of a slice of it, or of one that is as long in some dimension.
  // The least that has it is the likeliest.
  llvm::SmallVector<unsigned, 4> ordered(candidates.begin(), candidates.end());
  auto windowOf = [&](unsigned node) {
    const int64_t window = known ? lists_.elements(values_.view(values_.node(node).operands[operand].view).window) : 0;
    return std::pair(window, values_.node(node).resultTypes[0].elements());
  };
  if (ordered.size() > 1) llvm::stable_sort(ordered, [&](unsigned a, unsigned b) { return windowOf(a) < windowOf(b); });
  for (unsigned node : ordered) {
    std::vector<const Content *> results;
    std::string reason;
    if (call.results_size() == int(values_.node(node).results.size()) &&
        NodeAttempt(values_, lists_, contributions_, store_, moves_, call, reads, node, reason).run(results))
      return results;
    if (why.empty() && !reason.empty()) why = wantedBy(values_.node(node), values_) + ", and " + reason;
  }
  return {};
}

} // namespace autotp

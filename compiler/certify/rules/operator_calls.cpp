// compiler/certify/rules/operator_calls.cpp: calls that compute operators of the graph.
#include "compiler/certify/operators/fused_call.h"
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/indexed.h"

namespace autotp {
namespace {

llvm::Expected<std::vector<OperandRead>> readOperands(const TpRank &rank, const plan::KernelCall &call) {
  std::vector<OperandRead> reads;
  for (const plan::TensorRef &ref : call.operands()) {
    llvm::Expected<const Content *> content = rank.read(ref);
    if (!content) return content.takeError();
    reads.push_back({*content, shapeOf(ref), DType(ref.dtype())});
  }
  return reads;
}

/// Finds what the results of an operator of the graph, or of a move, hold.
llvm::Expected<Results> computed(Proof &proof, const plan::KernelCall &call, Reads reads) {
  llvm::Expected<Results> results = proof.operators.prove(call, reads);
  if (results) return results;
  const Content *content = movedValue(proof, call, reads);
  if (!content) return refuse("it is no part of the graph: ", results.takeError());
  llvm::consumeError(results.takeError());
  return Results(size_t(call.results_size()), content);
}

llvm::Expected<Results> resultsOf(Proof &proof, const plan::KernelCall &call, Reads reads) {
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  if (!row || row->fused.empty()) return computed(proof, call, reads);
  return proveFused(*row, call, reads, [&](const plan::KernelCall &part, Reads own) {
    llvm::Expected<Results> made = computed(proof, part, own);
    if (made) (*made)[0] = proof.settled((*made)[0]);
    return made;
  });
}

} // namespace

llvm::Error operatorCall(TpRank &rank, const plan::KernelCall &call) {
  auto reads = readOperands(rank, call);
  if (!reads) return reads.takeError();
  if (NumberRule *rule = numberRuleOf(KernelId(call.kernel()), *reads)) return rule(rank, call, *reads);
  if (llvm::all_of(call.results(), [](const plan::TensorRef &ref) { return bytesOf(ref) == 0; }))
    return llvm::Error::success();
  llvm::Expected<Results> results = resultsOf(rank.proof, call, *reads);
  if (!results) return results.takeError();
  for (const auto &[j, content] : indexed(*results)) {
    const plan::TensorRef &ref = call.results(int(j));
    if (bytesOf(ref) == 0) continue;
    if (!content) return refuse("it is no part of the graph: what its result holds does not follow");
    if (!content->isZero() && (content->bytes != bytesOf(ref) || content->dtype != DType(ref.dtype())))
      return refuse("its result is not as large as what it computes");
    rank.write(ref, content);
  }
  return llvm::Error::success();
}

} // namespace autotp

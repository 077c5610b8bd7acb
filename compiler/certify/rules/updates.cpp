// compiler/certify/rules/updates.cpp: the update of parameters in their buckets, by the rule that was asked for.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/rules/updated_image.h"
#include "compiler/certify/state/proof.h"
#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

/// A call (parameters, states.., gradients, scale, rate, count) -> (parameters, states..).
struct UpdateCall {
  const plan::KernelCall &call;

  int states() const { return call.results_size() - 1; }
  const plan::TensorRef &parameters() const { return call.operands(0); }
  const plan::TensorRef &gradients() const { return call.operands(states() + 1); }
};

bool saysWhere(llvm::StringRef name) { return name == "begins" || name == "ends" || name == "dp_slice"; }

/// The operator and its numbers are those of the rule.
llvm::Error checkKernel(const plan::KernelCall &call, const UpdateRule &rule) {
  const int states = int(rule.initial.size());
  const OpDef *row = GlobalValues::rowOf(KernelId(call.kernel()));
  if (!row || row->name != rule.op || call.results_size() != states + 1 || call.operands_size() != states + 5)
    return refuse("it is another update than was asked for");
  llvm::Error error = checkAttributes(call, rule.attributes, saysWhere);
  return error ? refuse("it updates at another rate than was asked for: ", std::move(error)) : std::move(error);
}

/// The scalars that it reads are the scale of gradients, the learning rate, and the number of updates.
llvm::Error checkScalars(const TpRank &rank, const plan::KernelCall &call, const UpdateRule &rule) {
  const Proof &proof = rank.proof;
  const int states = int(rule.initial.size());
  llvm::Expected<const Content *> scale = rank.read(call.operands(states + 2));
  if (!scale) return scale.takeError();
  if (!*scale || !(*scale)->is(proof.options.lossScale ? StepNumber::ScaleOrSkip : StepNumber::Scale))
    return refuse("what it scales gradients with is " + proof.symbols.text(*scale));
  for (auto [k, name] : {std::pair(states + 3, &rule.rate), {states + 4, &rule.count}}) {
    llvm::Expected<const Content *> scalar = rank.read(call.operands(k));
    if (!scalar) return scalar.takeError();
    if (!proof.schedule.holds(*scalar, proof.schedule.output(*name)))
      return refuse("operand " + llvm::Twine(k) + " is " + proof.symbols.text(*scalar) + ", not this rule's");
  }
  return llvm::Error::success();
}

/// The program names the k-th state of this update as what it is: a state of the bucket of its parameters, under the
/// operator's name for it, which begins as the rule says, if there is one. A checkpoint relies on that.
llvm::Error checkNamed(TpRank &rank, const plan::KernelCall &call, int k, const UpdateRule *rule) {
  for (const plan::Bucket &bucket : rank.program.buckets()) {
    const plan::TensorRef &updated = bucket.has_master() ? bucket.master() : bucket.parameters();
    const uint64_t begin = updated.offset(), end = begin + bytesOf(updated), at = call.operands(0).offset();
    if (at < begin || at >= end) continue;
    for (const plan::OptimizerState &state : bucket.states()) {
      if (state.tensor().SerializeAsString() != call.operands(k).SerializeAsString()) continue;
      const bool isRightName = !rule || state.name() == findOp(rule->op)->states[size_t(k) - 1];
      if (!isRightName || llvm::is_contained(rank.updatedStates, &state))
        return refuse("operand " + llvm::Twine(k) + " is called '" + escaped(state.name()) + "'");
      if (rule && state.initial() != rule->initial[size_t(k) - 1])
        return refuse("operand " + llvm::Twine(k) + " does not begin as the rule says");
      rank.updatedStates.push_back(&state);
      return llvm::Error::success();
    }
  }
  return refuse("operand " + llvm::Twine(k) + " is no state of its bucket");
}

/// State `k` is this update's own.
llvm::Error updateState(TpRank &rank, const plan::KernelCall &call, int k, const UpdateRule *rule) {
  const plan::TensorRef &ref = call.operands(k);
  llvm::Expected<Flat> state = rank.readFlat(ref);
  if (!state) return state.takeError();
  for (const Piece &piece : state->image)
    if (!piece.content->is(Stored::State) || elementsOf(ref) != elementsOf(call.operands(0)))
      return refuse("operand " + llvm::Twine(k) + " is " + rank.proof.symbols.text(*piece.content) +
                    ", not this update's own state");
  if (llvm::Error error = checkNamed(rank, call, k, rule)) return error;
  std::optional<ByteRange> range = rank.rangeOf(call.results(k));
  const Content *left = rank.proof.symbols.store.add({DType::F32, range->allBytes(), Stored::NewState});
  rank.arena.write(*range, Piece{left, 0, left->bytes});
  rank.keep(*range, left);
  return llvm::Error::success();
}

} // namespace

llvm::Error updateParameters(TpRank &rank, const plan::KernelCall &call) {
  const UpdateCall update{call};
  llvm::Expected<Flat> parameters = rank.readFlat(update.parameters());
  if (!parameters) return parameters.takeError();
  llvm::Expected<Flat> gradients = rank.readFlat(update.gradients());
  if (!gradients) return gradients.takeError();
  if (parameters->isSliced != gradients->isSliced || elementsOf(update.parameters()) != elementsOf(update.gradients()))
    return refuse("its parameters and gradients are not the same slices");
  llvm::Expected<UpdatedImage> updated = updatedImage(rank, call, *parameters, *gradients);
  if (!updated) return updated.takeError();
  if (const UpdateRule *rule = updated->rule) { // else a rank's slice is all padding, which nobody reads
    if (llvm::Error error = checkKernel(call, *rule)) return error;
    if (llvm::Error error = checkScalars(rank, call, *rule)) return error;
  }
  for (int k = 1; k <= update.states(); ++k)
    if (llvm::Error error = updateState(rank, call, k, updated->rule)) return error;
  return rank.writeFlat(call.results(0), {std::move(updated->image), parameters->isSliced});
}

} // namespace autotp

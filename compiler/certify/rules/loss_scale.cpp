// compiler/certify/rules/loss_scale.cpp: what gradients in f16 are multiplied by, how it moves, and that a step which
// overflows is skipped.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/proof.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// The state is {scale, good steps, skipped steps, overflows left}.
constexpr uint64_t kScaleBytes = sizeof(float), kCountsBytes = 3 * sizeof(float);

void hold(TpRank &rank, decltype(Content::what) scale, const StepCounts &counts) {
  ContentStore &store = rank.proof.symbols.store;
  rank.scaleHeld = store.add({DType::F32, kScaleBytes, std::move(scale)});
  rank.countsHeld = store.add({DType::F32, kCountsBytes, counts});
  rank.write(rank.lossScale->tensor(),
             {Piece{rank.scaleHeld, 0, kScaleBytes}, Piece{rank.countsHeld, 0, kCountsBytes}});
}

Attributes attributesOf(const LossScale &asked) {
  return {{"window", asked.window},
          {"hysteresis", asked.hysteresis},
          {"minimum", asked.minimum},
          {"refills", int64_t(asked.refills)},
          {"is_late", int64_t(asked.isLate)}};
}

/// Says whether the state lies there, as it was written last.
bool isHeldAt(const TpRank &rank, const plan::TensorRef &ref) {
  llvm::Expected<Pieces> held = rank.readPieces(ref);
  if (!held) {
    llvm::consumeError(held.takeError());
    return false;
  }
  return ref.offset() == rank.lossScale->tensor().offset() && held->size() == 2 &&
         (*held)[0].content == rank.scaleHeld && (*held)[1].content == rank.countsHeld;
}

} // namespace

llvm::Error placeLossScale(TpRank &rank, const plan::State &state) {
  const LossScale &asked = *rank.proof.options.lossScale;
  const float begins[4] = {float(asked.initial), asked.isLate ? -1.0f : 0.0f, 0, float(asked.hysteresis)};
  const plan::TensorRef &ref = state.tensor();
  if (rank.lossScale || DType(ref.dtype()) != DType::F32 || ref.dp_stride() || ref.shape_size() != 1 ||
      state.data() != llvm::StringRef(reinterpret_cast<const char *>(begins), sizeof(begins)))
    return refuse("state '" + escaped(state.name()) + "' begins with something else than was asked for");
  rank.lossScale = &state;
  hold(rank, Elements{rank.proof.symbols.rootOf(asked.state), {}}, StepCounts{false});
  return llvm::Error::success();
}

/// Proves (count of the whole batch, what the graph has multiplied gradients by) -> divisor.
llvm::Error scaleDivisor(TpRank &rank, const plan::KernelCall &call, Reads reads) {
  const Content *count = reads[0].content;
  const auto *scale = reads[1].content ? reads[1].content->as<Elements>() : nullptr;
  if (!count || !scale || !rank.proof.isStepSum(*count, rank.proof.count) || !scale->isOfMicroStep() ||
      scale->root != rank.proof.gradientScale)
    return refuse("it is not the count of the whole batch times the loss scale");
  rank.writeNew(call.results(0), StepNumber::Divisor);
  return llvm::Error::success();
}

/// Proves (state, scale of gradients, their norm, step) -> (state, scale or skip, steps that were not skipped).
llvm::Error decideStep(TpRank &rank, const plan::KernelCall &call) {
  const Proof &proof = rank.proof;
  if (!rank.lossScale) return refuse("nothing is scaled");
  const bool isInPlace = call.results(0).SerializeAsString() == call.operands(0).SerializeAsString();
  if (!isHeldAt(rank, call.operands(0)) || rank.countsHeld->isUpdated() || !isInPlace)
    return refuse("its state is not the loss scale of this step");
  for (auto [k, number] : {std::pair(1, StepNumber::Scale), {2, StepNumber::Norm}, {3, StepNumber::Step}}) {
    llvm::Expected<const Content *> content = rank.read(call.operands(k));
    if (!content) return content.takeError();
    if (!*content || !(*content)->is(number))
      return refuse("operand " + llvm::Twine(k) + " is " + proof.symbols.text(*content));
  }
  if (llvm::Error error = checkAttributes(call, attributesOf(*proof.options.lossScale)))
    return refuse("it moves the loss scale in another way than was asked for: ", std::move(error));
  hold(rank, StepNumber::NextLossScale, StepCounts{true});
  rank.writeNew(call.results(1), StepNumber::ScaleOrSkip);
  rank.writeNew(call.results(2), ScheduleValue{proof.schedule.source(ValueKind::Input, "step").value_or(kNone)});
  return llvm::Error::success();
}

llvm::Error askWhetherSkipped(TpRank &rank, const plan::KernelCall &call, Reads) {
  rank.writeNew(call.results(0), StepNumber::IsSkipped);
  return llvm::Error::success();
}

/// Proves where(is skipped, a state of the schedule, what the next step begins with).
llvm::Error keepWhereSkipped(TpRank &rank, const plan::KernelCall &call, Reads reads) {
  const Schedule &schedule = rank.proof.schedule;
  std::optional<ValueId> next = schedule.nextOf(reads[1].content, reads[2].content);
  if (!next || bytesOf(call.results(0)) != schedule.type(*next).bytes())
    return refuse("what a skipped step keeps is no state of the schedule beside its next value");
  rank.writeNew(call.results(0), ScheduleValue{*next, true});
  return llvm::Error::success();
}

llvm::Error checkLossScale(TpRank &rank) {
  if (isHeldAt(rank, rank.lossScale->tensor()) && rank.countsHeld->isUpdated()) return llvm::Error::success();
  return refuse("state 'loss_scale' does not hold what the next step begins with");
}

} // namespace autotp

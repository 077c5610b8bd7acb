// compiler/certify/loss_scale_rules.cpp: what gradients in f16 are multiplied by, how it moves, and that a step which
// overflows is skipped.
#include "compiler/certify/call_attributes.h"
#include "compiler/certify/coordinate.h"
#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

/// {scale, good steps, skipped steps}
constexpr uint64_t kScaleBytes = sizeof(float), kCountsBytes = 2 * sizeof(float);

Content contentOf(Content::Kind kind, uint64_t bytes, bool isUpdated) {
  Content content;
  content.kind = kind;
  content.bytes = bytes;
  content.isUpdated = isUpdated;
  return content;
}

} // namespace

llvm::Error Coordinate::placeLossScale(const plan::State &state) {
  const float begins[3] = {float(proof_.options.lossScale->initial), 0, 0};
  const plan::TensorRef &ref = state.tensor();
  if (lossScale_ || DType(ref.dtype()) != DType::F32 || ref.dp_stride() || ref.shape_size() != 1 ||
      state.data() != llvm::StringRef(reinterpret_cast<const char *>(begins), sizeof(begins)))
    return problem("state '" + escaped(state.name()) + "'", "it begins with something else than was asked for");
  lossScale_ = &state;
  Content scale = contentOf(Content::Kind::Value, kScaleBytes, false);
  scale.root = proof_.values.view(proof_.values.value(proof_.options.lossScale->state).view).root;
  const Content *counts = proof_.store.add(contentOf(Content::Kind::StepCounts, kCountsBytes, false));
  write(ref, {Piece{proof_.store.add(std::move(scale)), 0, kScaleBytes}, Piece{counts, 0, kCountsBytes}});
  return llvm::Error::success();
}

/// The count of the whole batch, times what the graph has multiplied gradients by.
llvm::Error Coordinate::scaleDivisor(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) {
  const Content *count = reads[0].content, *scale = reads[1].content;
  if (!count || !scale || !proof_.isStepSum(*count, proof_.count) || !scale->isMicroValue() ||
      scale->root != proof_.gradientScale)
    return problem("", "it is not the count of the whole batch times the loss scale");
  writeScalar(call.results(0), contentOf(Content::Kind::Divisor, 0, false));
  return llvm::Error::success();
}

/// loss_scale: (state, scale of gradients, their norm, step) -> (state, scale or skip, steps that were not skipped)
llvm::Error Coordinate::decideStep(const plan::KernelCall &call) {
  if (!lossScale_) return problem("", "nothing is scaled");
  const plan::TensorRef &at = lossScale_->tensor();
  llvm::Expected<std::vector<Piece>> state = pieces(call.operands(0));
  if (!state) return state.takeError();
  if (call.operands(0).offset() != at.offset() || call.results(0).offset() != at.offset() || state->size() != 2 ||
      !(*state)[0].content->isMicroValue() || (*state)[1].content->kind != Content::Kind::StepCounts ||
      (*state)[1].content->isUpdated)
    return problem("", "its state is not the loss scale of this step");
  for (auto [k, kind] :
       {std::pair(1, Content::Kind::Scale), {2, Content::Kind::Norm}, {3, Content::Kind::StepNumber}}) {
    llvm::Expected<const Content *> content = tensor(call.operands(k));
    if (!content) return content.takeError();
    if (!*content || (*content)->kind != kind)
      return problem("", llvm::formatv("operand {0} is {1}", k,
                                       *content ? describe(**content, proof_.values, proof_.lists) : "empty")
                             .str());
  }
  std::string why;
  auto isNone = [](llvm::StringRef) { return false; };
  if (!attributesAgree(call, Attributes{{"window", proof_.options.lossScale->window}}, isNone, why))
    return problem("", "it moves the loss scale in another way than was asked for: " + why);
  const Content *next = proof_.store.add(contentOf(Content::Kind::LossScale, kScaleBytes, true)),
                *counts = proof_.store.add(contentOf(Content::Kind::StepCounts, kCountsBytes, true));
  write(call.results(0), {Piece{next, 0, kScaleBytes}, Piece{counts, 0, kCountsBytes}});
  writeScalar(call.results(1), contentOf(Content::Kind::ScaleOrSkip, 0, false));
  Content step = contentOf(Content::Kind::Scalar, 0, false);
  step.scalar = proof_.schedule.source(ValueKind::Input, "step").value_or(kNone);
  writeScalar(call.results(2), std::move(step));
  return llvm::Error::success();
}

llvm::Error Coordinate::askWhetherSkipped(const plan::KernelCall &call, llvm::ArrayRef<OperandRead>) {
  writeScalar(call.results(0), contentOf(Content::Kind::IsSkipped, 0, false));
  return llvm::Error::success();
}

/// where(is skipped, a state of the schedule, what the next step begins with)
llvm::Error Coordinate::keepWhereSkipped(const plan::KernelCall &call, llvm::ArrayRef<OperandRead> reads) {
  std::optional<ValueId> next = proof_.schedule.nextOf(reads[1].content, reads[2].content);
  if (!next || bytesOf(call.results(0)) != proof_.schedule.type(*next).bytes())
    return problem("", "what a skipped step keeps is no state of the schedule beside its next value");
  Content kept = contentOf(Content::Kind::Scalar, 0, true);
  kept.scalar = *next;
  writeScalar(call.results(0), std::move(kept));
  return llvm::Error::success();
}

llvm::Error Coordinate::checkLossScale() {
  llvm::Expected<std::vector<Piece>> held = pieces(lossScale_->tensor());
  if (!held) return held.takeError();
  if (held->size() == 2 && (*held)[0].content->kind == Content::Kind::LossScale && (*held)[1].content->isUpdated)
    return llvm::Error::success();
  return problem("", "state 'loss_scale' does not hold what the next step begins with");
}

} // namespace autotp

// compiler/certify/rules/loss_scale_rules.cpp: what gradients in f16 are multiplied by, how it moves, and that a step which
// overflows is skipped.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/walk/coordinate.h"
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
  keepLossScale(std::move(scale), contentOf(Content::Kind::StepCounts, kCountsBytes, false));
  return llvm::Error::success();
}

void Coordinate::keepLossScale(Content scale, Content counts) {
  scaleState_ = {proof_.store.add(std::move(scale)), proof_.store.add(std::move(counts))};
  write(lossScale_->tensor(), {Piece{scaleState_[0], 0, kScaleBytes}, Piece{scaleState_[1], 0, kCountsBytes}});
}

/// Whether the state lies there, as it was written last.
bool Coordinate::isLossScale(const plan::TensorRef &ref) {
  llvm::Expected<std::vector<Piece>> held = pieces(ref);
  if (!held) {
    llvm::consumeError(held.takeError());
    return false;
  }
  return ref.offset() == lossScale_->tensor().offset() && held->size() == 2 && (*held)[0].content == scaleState_[0] &&
         (*held)[1].content == scaleState_[1];
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
  const bool isInPlace = call.results(0).SerializeAsString() == call.operands(0).SerializeAsString();
  if (!isLossScale(call.operands(0)) || scaleState_[1]->isUpdated || !isInPlace)
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
  keepLossScale(contentOf(Content::Kind::LossScale, kScaleBytes, true),
                contentOf(Content::Kind::StepCounts, kCountsBytes, true));
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
  if (isLossScale(lossScale_->tensor()) && scaleState_[1]->isUpdated) return llvm::Error::success();
  return problem("", "state 'loss_scale' does not hold what the next step begins with");
}

} // namespace autotp

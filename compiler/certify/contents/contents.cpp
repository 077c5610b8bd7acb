#include "compiler/certify/contents/contents.h"

#include "compiler/certify/values/global_values.h"
#include "compiler/certify/values/index_lists.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

struct Description {
  const GlobalValues &values;
  const IndexLists &lists;

  std::string operator()(const Elements &elements) const {
    std::string text = "'" + escaped(values.root(elements.root).name) + "' " + lists.text(elements.lists);
    if (elements.isPartial()) text += elements.partial == Partial::Sum ? ", a Partial sum" : ", a Partial maximum";
    if (elements.summedOver.microSteps) text += ", accumulated";
    if (elements.summedOver.dp) text += ", summed over dp";
    if (elements.isUpdated) text += ", updated";
    return text;
  }
  std::string operator()(const Constant &constant) const {
    return constant.isFill() ? llvm::formatv("{0} throughout", constant.fill).str() : "a constant";
  }
  std::string operator()(Stored stored) const {
    switch (stored) {
    case Stored::Sums:
      return "the sums of earlier micro-steps";
    case Stored::State:
      return "what the step before left";
    case Stored::NewState:
      return "an updated optimizer state";
    }
    return "?";
  }
  std::string operator()(const SliceOverDp &) const { return "a dp rank's slice of a bucket"; }
  std::string operator()(const SumOfSquares &) const { return "a rank's sum of squares"; }
  std::string operator()(StepNumber number) const {
    switch (number) {
    case StepNumber::AllSquares:
      return "the sum of squares of all gradients";
    case StepNumber::Divisor:
      return "the count of the whole batch times the loss scale";
    case StepNumber::Scale:
      return "the scale of gradients";
    case StepNumber::Norm:
      return "the norm of gradients";
    case StepNumber::Loss:
      return "the mean loss";
    case StepNumber::Step:
      return "the number of the step, skipped ones counted";
    case StepNumber::NextLossScale:
      return "the loss scale of the next step";
    case StepNumber::ScaleOrSkip:
      return "the scale of gradients, or that the step is skipped";
    case StepNumber::IsSkipped:
      return "whether the step is skipped";
    }
    return "?";
  }
  std::string operator()(const StepCounts &) const { return "the counts of good and of skipped steps"; }
  std::string operator()(const ScheduleValue &) const { return "a scalar of the schedule"; }
};

} // namespace

bool Content::isUpdated() const {
  if (const auto *elements = as<Elements>()) return elements->isUpdated;
  if (const auto *counts = as<StepCounts>()) return counts->isUpdated;
  if (const auto *value = as<ScheduleValue>()) return value->isUpdated;
  return is(StepNumber::NextLossScale);
}

SummedOver Content::summedOver() const {
  if (const auto *elements = as<Elements>()) return elements->summedOver;
  if (const auto *constant = as<Constant>()) return constant->summedOver;
  return {};
}

void append(Pieces &pieces, const Piece &next) {
  const bool follows = !pieces.empty() && pieces.back().content == next.content &&
                       pieces.back().offset + pieces.back().bytes == next.offset;
  if (follows)
    pieces.back().bytes += next.bytes;
  else if (next.bytes)
    pieces.push_back(next);
}

Pieces sub(llvm::ArrayRef<Piece> pieces, uint64_t begin, uint64_t bytes) {
  Pieces taken;
  uint64_t at = 0;
  for (const Piece &piece : pieces) {
    if (at >= begin + bytes) break;
    const uint64_t from = std::max(at, begin), to = std::min(at + piece.bytes, begin + bytes);
    if (from < to) taken.push_back({piece.content, piece.offset + from - at, to - from});
    at += piece.bytes;
  }
  return taken;
}

uint64_t bytesOf(llvm::ArrayRef<Piece> pieces) {
  uint64_t bytes = 0;
  for (const Piece &piece : pieces)
    bytes += piece.bytes;
  return bytes;
}

std::string describe(const Content &content, const GlobalValues &values, const IndexLists &lists) {
  return std::visit(Description{values, lists}, content.what);
}

} // namespace autotp

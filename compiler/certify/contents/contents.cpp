#include "compiler/certify/contents/contents.h"

#include "runtime/base/error.h"

namespace autotp {

void append(std::vector<Piece> &pieces, const Piece &next) {
  const bool follows = !pieces.empty() && pieces.back().content == next.content &&
                       pieces.back().offset + pieces.back().bytes == next.offset;
  if (follows)
    pieces.back().bytes += next.bytes;
  else if (next.bytes)
    pieces.push_back(next);
}

std::string describe(const Content &c, const GlobalValues &values, const IndexLists &lists) {
  switch (c.kind) {
  case Content::Kind::Value: {
    std::string text = "'" + escaped(values.root(c.root).name) + "' " + lists.text(c.lists);
    if (c.pending != Pending::None) text += c.pending == Pending::Sum ? ", a pending sum" : ", a pending maximum";
    if (c.isAccumulated) text += ", accumulated";
    if (c.isSummedOverDp) text += ", summed over dp";
    if (c.isUpdated) text += ", updated";
    return text;
  }
  case Content::Kind::Constant:
    return c.data.empty() ? llvm::formatv("{0} throughout", c.fill).str() : "a constant";
  case Content::Kind::Sums:
    return "the sums of earlier micro-steps";
  case Content::Kind::State:
    return "what the step before left";
  case Content::Kind::NewState:
    return "an updated optimizer state";
  case Content::Kind::Sliced:
    return "a dp rank's slice of a bucket";
  case Content::Kind::Squares:
    return c.isComplete ? "the sum of squares of all gradients" : "a rank's sum of squares";
  case Content::Kind::Divisor:
    return "the count of the whole batch times the loss scale";
  case Content::Kind::Scale:
    return "the scale of gradients";
  case Content::Kind::Norm:
    return "the norm of gradients";
  case Content::Kind::Loss:
    return "the mean loss";
  case Content::Kind::StepNumber:
    return "the number of the step, skipped ones counted";
  case Content::Kind::LossScale:
    return "the loss scale of the next step";
  case Content::Kind::StepCounts:
    return "the counts of good and of skipped steps";
  case Content::Kind::ScaleOrSkip:
    return "the scale of gradients, or that the step is skipped";
  case Content::Kind::IsSkipped:
    return "whether the step is skipped";
  case Content::Kind::Scalar:
    return "a scalar of the schedule";
  }
  return "?";
}

} // namespace autotp

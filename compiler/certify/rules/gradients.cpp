// compiler/certify/rules/gradients.cpp: sums of gradients over micro-steps, their norm, and what they are scaled by.
#include "compiler/certify/operators/call_attributes.h"
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/rules/segments.h"
#include "compiler/certify/rules/squares.h"
#include "compiler/certify/state/buckets.h"
#include "compiler/certify/state/proof.h"
#include "runtime/base/error.h"
#include "runtime/plan/check_program.h"

namespace autotp {

/// Proves (sums, gradients) -> sums, in place.
llvm::Error accumulate(TpRank &rank, const plan::KernelCall &call) {
  llvm::Expected<Flat> sums = rank.readFlat(call.operands(0)), added = rank.readFlat(call.operands(1));
  if (!sums) return llvm::joinErrors(sums.takeError(), added ? llvm::Error::success() : added.takeError());
  if (!added) return added.takeError();
  for (const Piece &piece : sums->image)
    if (!piece.content->is(Stored::Sums) || sums->isSliced)
      return refuse("it adds to " + rank.proof.symbols.text(*piece.content) +
                    ", not to sums that are 0 when a step begins");
  if (elementsOf(call.operands(0)) != elementsOf(call.operands(1)) ||
      call.operands(0).offset() != call.results(0).offset())
    return refuse("it adds to other elements than it writes");
  for (Piece &piece : added->image) {
    const Content *content = rank.proof.after(piece.content, Change::Accumulate);
    if (!content) return refuse("it accumulates " + rank.proof.symbols.text(*piece.content));
    piece.content = content;
  }
  return rank.writeFlat(call.results(0), *added);
}

namespace {

/// Returns the elements of a parameter that segments of its bucket's tensor are.
llvm::SmallVector<Interval, 2> elementsIn(const TpRank &rank, const plan::Parameter &parameter,
                                          const plan::TensorRef &ref, const Segments &segments) {
  const int64_t held = elementsOf(ref), begin = int64_t(parameter.bucket_begin()),
                end = begin + elementsOf(parameter.tensor());
  llvm::SmallVector<Interval, 2> own;
  for (const Window &window : windowsOf(rank, rank.program.buckets(int(parameter.bucket())), ref))
    for (int64_t at = 0; at < window.elements; at += held) { // what one dp rank has of it
      const int64_t dpRank = (window.inImage + at) / held, first = window.inBucket + at;
      const Interval both{std::max(begin, first), std::min(end, first + held)};
      if (both.begin >= both.end) continue;
      for (const Interval &part : segments.within(both, dpRank, first))
        append(own, {part.begin - begin, part.end - begin});
    }
  return own;
}

/// Returns elements of a parameter as boxes of it.
std::vector<Lists> boxesOf(IndexLists &lists, llvm::ArrayRef<ListId> covers, llvm::ArrayRef<Interval> elements) {
  std::vector<Lists> boxes;
  for (const Interval &run : elements)
    llvm::append_range(boxes, lists.boxesOf(lists.lengths(covers), run));
  for (Lists &box : boxes)
    for (size_t d = 0; d < box.size(); ++d)
      box[d] = lists.select(covers[d], box[d]);
  return boxes;
}

bool isAt(const plan::TensorRef &a, const plan::TensorRef &b) {
  return a.offset() == b.offset() && a.dp_stride() == b.dp_stride() && elementsOf(a) == elementsOf(b);
}

/// Adds the elements of gradients that segments are. Fails unless they are gradients' alone.
llvm::Error countGradients(const TpRank &rank, const plan::TensorRef &ref, const Flat &gradients,
                           const Segments &segments, SumOfSquares &squares) {
  int64_t counted = 0, wanted = 0;
  for (int64_t dpRank = 0; dpRank < (gradients.isSliced ? rank.proof.options.dp : 1); ++dpRank)
    wanted += elementsOf(segments.within({0, elementsOf(ref)}, dpRank));
  for (const plan::Parameter &parameter : rank.program.parameters()) {
    if (!isAt(rank.program.buckets(int(parameter.bucket())).accumulator(), ref)) continue;
    const auto own = elementsIn(rank, parameter, ref, segments);
    if (own.empty()) continue;
    if (llvm::Error error = checkGradientIn(rank, gradients, ref, parameter))
      return refuse("it counts what is not the gradient of '" + escaped(parameter.name()) + "': ", std::move(error));
    counted += elementsOf(own);
    const RootId root = rank.proof.parameters.find(parameter.name())->second.root;
    for (Lists &box : boxesOf(rank.proof.symbols.lists, *coversOf(rank, parameter), own))
      squares.counted.push_back({root, std::move(box)});
  }
  return counted == wanted ? llvm::Error::success() : refuse("it counts elements that are no parameter's");
}

} // namespace

/// Proves (gradients) -> the sum of squares of these segments of them.
llvm::Error sumSquares(TpRank &rank, const plan::KernelCall &call) {
  llvm::Expected<Flat> gradients = rank.readFlat(call.operands(0));
  if (!gradients) return gradients.takeError();
  llvm::Expected<Segments> segments = segmentsOf(call, gradients->isSliced, rank.proof.options.dp);
  if (!segments) return segments.takeError();
  SumOfSquares squares;
  squares.isSliced = gradients->isSliced;
  if (llvm::Error error = countGradients(rank, call.operands(0), *gradients, *segments, squares)) return error;
  rank.writeNew(call.results(0), std::move(squares));
  return llvm::Error::success();
}

llvm::Error addSquares(TpRank &rank, const plan::KernelCall &call, Reads reads) {
  SumOfSquares sum;
  for (int k : {0, 1}) {
    const Content *content = reads[size_t(k)].content;
    if (!content || !content->as<SumOfSquares>()) return refuse("it adds something else to a rank's sum of squares");
    sum.addends[k] = content;
  }
  rank.writeNew(call.results(0), std::move(sum));
  return llvm::Error::success();
}

namespace {

/// All gradients are in the sum: those of all ranks, or of the only one.
llvm::Error checkNorm(Proof &proof, const Content *squares) {
  if (squares && squares->is(StepNumber::AllSquares)) return llvm::Error::success();
  const std::string words = "its first operand is not the norm of all gradients: ";
  if (!squares || !squares->as<SumOfSquares>() || proof.options.tp != 1)
    return refuse(words + "it is " + proof.symbols.text(squares));
  llvm::Error error = checkEachCountsOnce(proof, squares, /*overDp=*/false);
  return error ? refuse(words, std::move(error)) : llvm::Error::success();
}

} // namespace

/// Proves (sum of squares, divisor) -> (scale of gradients, their norm).
llvm::Error scaleGradients(TpRank &rank, const plan::KernelCall &call) {
  Proof &proof = rank.proof;
  llvm::Expected<const Content *> squares = rank.read(call.operands(0)), divisor = rank.read(call.operands(1));
  if (!squares) return llvm::joinErrors(squares.takeError(), divisor ? llvm::Error::success() : divisor.takeError());
  if (!divisor) return divisor.takeError();
  if (llvm::Error error = checkNorm(proof, *squares)) return error;
  if (!*divisor || !proof.isDivisor(**divisor))
    return refuse("it does not divide by the count of the whole batch (times the loss scale), but by " +
                  (*divisor ? proof.symbols.text(**divisor) : std::string("nothing")));
  if (!isReal(call, "max_norm", proof.options.updates->clipGradNorm))
    return refuse("it clips to another norm than was asked for");
  rank.writeNew(call.results(0), StepNumber::Scale);
  rank.writeNew(call.results(1), StepNumber::Norm);
  return llvm::Error::success();
}

/// Proves (sum of losses, their count) -> the mean loss of the step.
llvm::Error meanLoss(TpRank &rank, const plan::KernelCall &call, Reads reads) {
  const Content *sum = reads[0].content, *count = reads[1].content;
  if (!sum || !count || !rank.proof.isStepSum(*sum, rank.proof.lossSum) ||
      !rank.proof.isStepSum(*count, rank.proof.count))
    return refuse("it is not the sum of all losses over their count");
  rank.writeNew(call.results(0), StepNumber::Loss);
  return llvm::Error::success();
}

} // namespace autotp

// compiler/certify/walk/end_step.cpp: what a step of training must leave behind.
#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/rules.h"
#include "compiler/certify/state/buckets.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "runtime/base/error.h"

namespace autotp {

llvm::Expected<const Flat *> HeldFlats::of(const plan::TensorRef &ref) {
  if (auto known = flats_.find(&ref); known != flats_.end()) return &known->second;
  llvm::Expected<Flat> held = rank_.readFlat(ref);
  if (!held) return held.takeError();
  return &flats_.emplace(&ref, std::move(*held)).first->second;
}

llvm::Error checkHolds(const TpRank &rank, const Flat &held, const plan::TensorRef &ref,
                       const plan::Parameter &parameter, const Content *wanted) {
  llvm::Expected<std::vector<Run>> runs = runsOf(rank, held, ref, parameter);
  if (!runs) return runs.takeError();
  for (const Run &run : *runs) {
    uint64_t at = uint64_t(run.begin) * sizeOf(DType(ref.dtype()));
    for (const Piece &piece : run.pieces) {
      if (piece.content != wanted || piece.offset != at)
        return refuse("its memory holds " + rank.proof.symbols.text(*piece.content) + ", not " +
                      rank.proof.symbols.text(*wanted));
      at += piece.bytes;
    }
  }
  return llvm::Error::success();
}

llvm::Error checkKept(const TpRank &rank) {
  for (const auto &[range, content] : rank.kept) {
    llvm::Expected<Pieces> held = rank.arena.read(range);
    const bool isThere = held && (range.bytes == 0 || (held->size() == 1 && (*held)[0].content == content));
    if (!held) llvm::consumeError(held.takeError());
    if (!isThere)
      return refuse("bytes from " + llvm::Twine(range.offset) + " no longer hold " + rank.proof.symbols.text(*content));
  }
  return llvm::Error::success();
}

namespace {

/// A parameter, or its master weights, is updated and in place.
llvm::Error checkUpdated(const TpRank &rank, const plan::Parameter &parameter, const plan::TensorRef &ref, RootId root,
                         HeldFlats &flats) {
  llvm::Expected<const Flat *> held = flats.of(ref);
  if (!held) return held.takeError();
  Proof &proof = rank.proof;
  const Content *before = proof.parameterContent(root, *coversOf(rank, parameter));
  return checkHolds(rank, **held, ref, parameter, proof.after(before, Change::Update));
}

llvm::Error checkGradient(const TpRank &rank, const plan::Parameter &parameter, HeldFlats &flats) {
  const plan::TensorRef &ref = rank.program.buckets(int(parameter.bucket())).accumulator();
  llvm::Expected<const Flat *> held = flats.of(ref);
  if (!held) return held.takeError();
  return checkGradientIn(rank, **held, ref, parameter);
}

llvm::Error checkParameter(const TpRank &rank, const plan::Parameter &parameter, HeldFlats &flats) {
  if (bytesOf(parameter.tensor()) == 0) return llvm::Error::success();
  const plan::Bucket &bucket = rank.program.buckets(int(parameter.bucket()));
  const Proof::Parameter &row = rank.proof.parameters.find(parameter.name())->second;
  const std::string words = "parameter '" + escaped(parameter.name()) + "': ";
  if (llvm::Error error = checkUpdated(rank, parameter, bucket.parameters(), row.root, flats))
    return refuse(words, std::move(error));
  if (bucket.has_master())
    if (llvm::Error error = checkUpdated(rank, parameter, bucket.master(), row.master, flats))
      return refuse(words + "of its master weights, ", std::move(error));
  if (llvm::Error error = checkGradient(rank, parameter, flats))
    return refuse(words + "its gradient is not where the program says: ", std::move(error));
  return llvm::Error::success();
}

/// A state of the schedule holds what the next step begins with, or what a skipped step keeps.
llvm::Error checkScheduleState(const TpRank &rank, const plan::State &state, llvm::StringRef name) {
  const Schedule &schedule = rank.proof.schedule;
  llvm::Expected<const Content *> held = rank.read(state.tensor());
  if (!held) return held.takeError();
  const ValueId before = *schedule.source(ValueKind::State, name), next = schedule.next(before);
  const bool mayMove = !rank.proof.options.lossScale || next == before || (*held && (*held)->isUpdated());
  if (mayMove && schedule.holds(*held, next)) return llvm::Error::success();
  return refuse("state '" + escaped(state.name()) + "' does not hold what the next step begins with");
}

llvm::Error checkStates(TpRank &rank) {
  for (const plan::Bucket &bucket : rank.program.buckets())
    for (const plan::OptimizerState &state : bucket.states())
      if (!llvm::is_contained(rank.updatedStates, &state))
        return refuse("state '" + escaped(state.name()) + "' of a bucket is no update's");
  for (const plan::State &state : rank.program.states()) {
    llvm::StringRef name = state.name();
    if (!name.consume_front("schedule.")) continue;
    if (llvm::Error error = checkScheduleState(rank, state, name)) return error;
  }
  return rank.proof.options.lossScale ? checkLossScale(rank) : llvm::Error::success();
}

/// Says whether a content is the output of this name.
bool isOutput(Proof &proof, const Content &content, llvm::StringRef name) {
  if (name == "loss") return content.is(StepNumber::Loss);
  if (name == "grad_norm") return content.is(StepNumber::Norm);
  if (name == "grad_divisor") return proof.isDivisor(content);
  if (name == "loss_scale") return content.is(StepNumber::NextLossScale);
  return name == "learning_rate" &&
         proof.schedule.holds(&content, proof.schedule.output(proof.options.updates->rules[0].rate));
}

llvm::Error checkOutputs(TpRank &rank) {
  bool hasLoss = false;
  for (const plan::Output &output : rank.program.outputs()) {
    if (output.name() == "loss_sum" || output.name() == "count") continue; // evaluate's, see checkEvaluation()
    const std::string words = "output '" + escaped(output.name()) + "'";
    llvm::Expected<const Content *> held = rank.read(output.tensor());
    if (!held) return refuse(words + ": ", held.takeError());
    if (!*held || !isOutput(rank.proof, **held, output.name()))
      return refuse(words + " is " + rank.proof.symbols.text(*held));
    hasLoss |= output.name() == "loss";
  }
  return hasLoss ? llvm::Error::success() : refuse("the program yields no loss");
}

} // namespace

llvm::Error endStep(TpRank &rank) {
  HeldFlats flats(rank);
  for (const plan::Parameter &parameter : rank.program.parameters())
    if (llvm::Error error = checkParameter(rank, parameter, flats)) return error;
  if (llvm::Error error = checkKept(rank)) return error;
  if (llvm::Error error = checkStates(rank)) return error;
  return checkOutputs(rank);
}

} // namespace autotp

// compiler/certify/walk/section_ends.cpp: what the runtime writes before a section, and what must hold after it.
#include "compiler/certify/refusal.h"
#include "compiler/certify/state/buckets.h"
#include "compiler/certify/state/proof.h"
#include "compiler/certify/walk/walk.h"
#include "compiler/ir/loss.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// Returns what the graph calls a source of this name and kind, or null.
const GlobalOperand *sourceOf(const Proof &proof, ValueKind kind, llvm::StringRef name) {
  for (ValueId id : proof.graph.sources(kind))
    if (proof.graph.value(id).name == name) return &proof.symbols.values.value(id);
  return nullptr;
}

/// An input that the graph reads is a source of it.
llvm::Expected<Elements> graphInput(Proof &proof, const plan::Input &input) {
  const plan::TensorRef &ref = input.tensor();
  const ValueKind kind = input.kind() == plan::FEED ? ValueKind::Input : ValueKind::State;
  const GlobalOperand *source = sourceOf(proof, kind, input.name());
  if (!source || DType(ref.dtype()) != source->type.dtype || !llvm::equal(ref.shape(), source->type.shape))
    return refuse("input '" + escaped(input.name()) + "' is not the graph's");
  return Elements{proof.symbols.rootOf(*source), proof.symbols.wholes(source->type.shape)};
}

llvm::Error placeInput(TpRank &rank, const plan::Input &input) {
  const plan::TensorRef &ref = input.tensor();
  if (input.kind() != plan::STEP && input.kind() != plan::LEARNING_RATE) {
    llvm::Expected<Elements> elements = graphInput(rank.proof, input);
    if (!elements) return elements.takeError();
    if (bytesOf(ref)) rank.writeNew(ref, std::move(*elements));
    return llvm::Error::success();
  }
  if (bytesOf(ref) == 0) return llvm::Error::success();
  if (input.kind() == plan::STEP && rank.proof.options.lossScale) // the schedule does not see it, see decideStep()
    rank.writeNew(ref, StepNumber::Step);
  else
    rank.writeNew(ref, ScheduleValue{rank.proof.schedule.source(ValueKind::Input, input.name()).value_or(kNone)});
  return llvm::Error::success();
}

/// What batch_statistics has summed is a value of the graph to micro_step, and stays where it is.
llvm::Error placeStatistic(TpRank &rank, const std::string &name, ValueId source) {
  Proof &proof = rank.proof;
  const Type &type = proof.graph.type(source);
  auto state = llvm::find_if(rank.program.states(), [&](const plan::State &s) {
    return s.name() == name && DType(s.tensor().dtype()) == type.dtype && llvm::equal(s.tensor().shape(), type.shape);
  });
  if (state == rank.program.states().end()) return refuse("the program lacks state '" + escaped(name) + "'");
  llvm::Expected<const Content *> held = rank.read(state->tensor());
  if (!held) return held.takeError();
  if (!*held || !proof.isStepSum(**held, proof.symbols.values.value(proof.graph.output(name))))
    return refuse("state '" + escaped(name) + "' is not the sum over the global batch that the graph wants, but " +
                  proof.symbols.text(*held));
  const Content *placed = proof.symbols.store.add(
      {type.dtype, type.bytes(), Elements{proof.symbols.rootOf(source), proof.symbols.wholes(type.shape)}});
  rank.write(state->tensor(), placed);
  rank.keep({state->tensor().offset(), placed->bytes, 1}, placed);
  return llvm::Error::success();
}

llvm::Error placeStatistics(TpRank &rank) {
  for (ValueId source : rank.proof.graph.sources(ValueKind::State)) {
    const std::string &name = rank.proof.graph.value(source).name;
    if (!isBatchStatistic(name)) continue;
    if (llvm::Error error = placeStatistic(rank, name, source)) return error;
  }
  return llvm::Error::success();
}

/// The next micro-step finds parameters, constants and statistics as this one did.
llvm::Error checkMicroStep(TpRank &rank) {
  if (llvm::Error error = checkKept(rank)) return error;
  HeldFlats flats(rank);
  for (const plan::Parameter &parameter : rank.program.parameters()) {
    const plan::TensorRef &ref = rank.program.buckets(int(parameter.bucket())).parameters();
    const RootId root = rank.proof.parameters.find(parameter.name())->second.root;
    const Content *wanted = rank.proof.parameterContent(root, *coversOf(rank, parameter));
    llvm::Expected<const Flat *> held = flats.of(ref);
    llvm::Error error = held ? checkHolds(rank, **held, ref, parameter, wanted) : held.takeError();
    if (error) return refuse("parameter '" + escaped(parameter.name()) + "': ", std::move(error));
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error enterSection(TpRank &rank, const plan::Section &section) {
  rank.section = section.name();
  const bool isMicroStep = rank.section != "optimizer_step";
  // Gradients of a step's only micro-step lie among its activations.
  const bool findsGradients = !isMicroStep && rank.proof.options.gradAccum == 1;
  for (const plan::Region &region : rank.program.regions())
    if (isScratch(region) && !findsGradients) rank.arena.forget(region.offset(), region.bytes());
  for (const plan::Input &input : rank.program.inputs())
    if ((input.kind() == plan::FEED || input.kind() == plan::RANDOM_COUNTER) == isMicroStep)
      if (llvm::Error error = placeInput(rank, input)) return error;
  return llvm::Error::success();
}

llvm::Error leaveSection(TpRank &rank, const plan::Section &section) {
  if (section.name() == "batch_statistics") return placeStatistics(rank);
  if (section.name() == "evaluate") return checkEvaluation(rank, section);
  if (section.name() != "micro_step" || rank.proof.options.gradAccum == 1) return llvm::Error::success();
  return checkMicroStep(rank);
}

} // namespace autotp

/// \file The programs of all tp ranks, executed on symbols: from what a step of training begins with to what it must leave.
#pragma once

#include "compiler/certify/state/tp_rank.h"

#include <map>
#include <memory>

namespace autotp {

using TpRanks = std::vector<std::unique_ptr<TpRank>>;

/// Writes what the arena holds when a step begins: parameters, constants, states, sums (begin_step.cpp).
llvm::Error beginStep(TpRank &rank);
/// Writes a section's inputs, as the runtime does before it runs the section (section_ends.cpp).
llvm::Error enterSection(TpRank &rank, const plan::Section &section);
/// Runs the section of this number on all ranks in lock-step, from collective to collective (section_walk.cpp).
llvm::Error walkSection(Proof &proof, const TpRanks &ranks, int section);
/// Checks that the next micro-step finds the parameters as this one did; batch statistics become values of the graph
/// (section_ends.cpp).
llvm::Error leaveSection(TpRank &rank, const plan::Section &section);
/// Checks that this rank's sums of the loss and of the count are those of the micro-batches that were evaluated, and that
/// nothing else was written that outlives the section (evaluation.cpp).
llvm::Error checkEvaluation(TpRank &rank, const plan::Section &section);
/// Checks what must hold when a step has ended: parameters are updated and in place, constants and states kept, outputs
/// there (end_step.cpp).
llvm::Error endStep(TpRank &rank);

/// Says whether a region has values that no section finds, but for the gradients that optimizer_step does: the runtime
/// leaves it as it is when it loads a program, and sets everything else to 0.
bool isScratch(const plan::Region &region);

/// Fails if results lie over what is still read.
llvm::Error checkOverlaps(const TpRank &rank, const plan::Instruction &instruction);

/// Fails unless a flat tensor of a parameter's bucket has this content, or its part of it, in the parameter's place.
llvm::Error checkHolds(const TpRank &rank, const Flat &held, const plan::TensorRef &ref,
                       const plan::Parameter &parameter, const Content *wanted);
/// Fails unless everything that was to be kept is still there.
llvm::Error checkKept(const TpRank &rank);

/// Reads flat tensors while nothing is executed, each once for all parameters of its bucket.
class HeldFlats {
public:
  explicit HeldFlats(TpRank &rank) : rank_(rank) {}
  llvm::Expected<const Flat *> of(const plan::TensorRef &ref);

private:
  TpRank &rank_;
  std::map<const plan::TensorRef *, Flat> flats_; // looked up only
};

} // namespace autotp

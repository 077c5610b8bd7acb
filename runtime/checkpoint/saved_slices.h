/// \file Which rank writes which elements of a parameter, of its weights and of its optimizer states, into a checkpoint.
#pragma once

#include "runtime/plan/held_elements.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace autotp {

/// The kind of the weights, in f32. All others are names of optimizer states (plan::OptimizerState).
constexpr llvm::StringLiteral kWeights = "weights";

/// The bucket's tensor of a kind: of weights the master weights, if there are such; null if the bucket has no such state.
const plan::TensorRef *tensorOfKind(const plan::Bucket &bucket, llvm::StringRef kind);

/// "weights" and the names of the bucket's states, in their order.
std::vector<std::string> kindsOf(const plan::Bucket &bucket);

/// Elements [begin, end) of those that a rank holds of a parameter, in the order in which they lie in its memory.
struct SavedSlice {
  const plan::Parameter *parameter; ///< of the program of the rank's tp rank
  std::string kind;
  int rank; ///< dp_rank * tp + tp_rank
  int64_t begin, end;
  plan::TensorRef tensor; ///< where they lie in the rank's arena: f32, [end - begin]
};

/// All slices of a checkpoint, by parameter, kind and rank. `byTp` are the programs of all tp ranks, which have the same
/// parameters. Together the slices have each element of each kind; those that several tp ranks hold may be there twice if
/// these ranks do not hold the same ones. Ranks that hold the same elements share the work.
std::vector<SavedSlice> savedSlices(llvm::ArrayRef<const plan::Program *> byTp, int64_t dp);

/// The states of a program that belong to a checkpoint though they are no parameter's: those that no step begins with zeros.
std::vector<const plan::State *> lastingStates(const plan::Program &program);

} // namespace autotp

/// \file Writes the files of a plan. OutputFolder makes the folder appear whole or not at all.
#pragma once

#include "compiler/sharding/first_holder.h"
#include "compiler/sharding/rank_program.h"
#include "runtime/base/output_folder.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/Support/Error.h"

#include <functional>

namespace autotp {

/// Reads elements of a parameter that do not come from the graph, in the type in which they are written.
using PartReader = std::function<llvm::Expected<Tensor>(const Value &parameter, const Covers &covers)>;

struct PlanContents {
  const Graph &global;
  llvm::ArrayRef<RankProgram> ranks;      ///< by tp rank, for the covers of the weights
  llvm::ArrayRef<plan::Program> programs; ///< by tp rank; equal programs are stored once
  Manifest manifest;                      ///< programs, weights and ranks are filled in by writePlan
  PartReader readPart = nullptr;          ///< of the weights; null: they are the graph's contents
};

/// Writes programs/NNNN.plan, weights/tp_NNNN.safetensors (if the manifest asks for copies of the weights) and
/// manifest.json into `folder`, which the caller commits. Weights are read and written in pieces of 16 MiB. Errors: a
/// file that cannot be written, a parameter without contents to copy.
llvm::Error writePlan(PlanContents contents, OutputFolder &folder);

} // namespace autotp

/// \file Writes what a plan's folder holds; OutputFolder sees to it that it appears whole, or not at all.
#pragma once

#include "compiler/sharding/rank_program.h"
#include "runtime/base/output_folder.h"
#include "runtime/plan/manifest.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/Support/Error.h"

namespace autotp {

struct PlanContents {
  const Graph &global;
  llvm::ArrayRef<RankProgram> ranks;      ///< by tp coordinate, for the weights' covers
  llvm::ArrayRef<plan::Program> programs; ///< by tp coordinate; equal ones are stored once
  Manifest manifest;                      ///< programs, weights and ranks are filled in here
};

/// programs/NNNN.plan, weights/tp_NNNN.safetensors (where weights are copied) and manifest.json, into `folder`, which the
/// caller commits. Errors: files that cannot be written, a parameter without contents to copy.
llvm::Error writePlan(PlanContents contents, OutputFolder &folder);

} // namespace autotp

/// \file What the stages of a compile hand on.
#pragma once

#include "compiler/certify/certify.h"
#include "compiler/ir/updates.h"
#include "compiler/sharding/rank_program.h"
#include "passes/emit/plan_memory.h"
#include "passes/import/classify_parameters.h"
#include "passes/import/input_roles.h"
#include "passes/partition/bind_batch.h"
#include "passes/shard/choose_axes.h"
#include "passes/train/objective.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// The file, and what it says beside its graph.
struct ModelSource {
  std::string sha256;
  llvm::StringMap<std::string> moduleNames; ///< see ImportedModel
  std::vector<std::string> notes;           ///< see ImportedModel
  bool hasOwnOptimizer = false;             ///< the updates are the model's, not of options
  bool hasOwnBackward = false;              ///< see ImportedModel::hasGradients
  bool hadDoubles = false;                  ///< its parameters or inputs are f64, and train in f32
};

/// What each initializer is, and what was found of them on the way.
struct ParameterFindings {
  std::vector<ClassifiedInitializer> initializers;
  std::vector<std::string> retied, equalWeights;
  std::vector<std::string> separated, restored; ///< parameters that the exporter had merged, or dropped
  std::vector<std::string> perhapsPadding;      ///< "row 1 of e.weight", of which no exporter says whether it is
  std::vector<std::string> unknownNames;        ///< of --parameters, that no parameter of the graph has
};

/// What is trained for, on which samples, and how.
struct TrainingFacts {
  Objective objective{LossKind::Mean};
  LossTerms lossTerms;      ///< how the loss is that of the global batch, where it is no cross-entropy's mean
  Updates updates;          ///< of the parameters, see compiler/ir/updates.h
  DType dtype = DType::F32; ///< of parameters and activations
  std::vector<InputRole> inputs;
  int64_t microBatch = 1; ///< samples that the inputs hold
};

/// What lies where on tp.
struct TpPlacement {
  GraphAxes axes;
  ChosenAxes chosen;
  Reductions reductions;
  std::optional<SequenceRegion> region; ///< with sequence parallelism
};

/// By tp rank. A stage fills one list; those of stages that have not run are empty.
struct TpRanks {
  std::vector<LocalProgram> locals; ///< until build-steps
  std::vector<RankProgram> programs;
  std::vector<MemoryPlan> memory;
  std::vector<plan::Program> emitted; ///< what the runtime executes
  unsigned recomputed = 0;            ///< values that each rank computes again in the backward
};

struct StageTime {
  std::string stage;
  double seconds;
};

struct CompiledModel {
  ModelSource source;
  ParameterFindings evidence;
  Graph graph; ///< global; with gradients once it was differentiated
  TrainingFacts training;
  TpPlacement placement;
  TpRanks ranks;
  std::optional<Certificate> certificate;
  std::vector<StageTime> times; ///< of each pass that ran, in order
};

} // namespace autotp

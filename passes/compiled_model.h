/// \file What the stages of a compile hand on.
#pragma once

#include "compiler/certify/certify.h"
#include "compiler/ir/updates.h"
#include "compiler/sharding/rank_program.h"
#include "passes/emit/plan_memory.h"
#include "passes/import/classify_parameters.h"
#include "passes/import/input_roles.h"
#include "passes/import/match_weights.h"
#include "passes/partition/global_loss.h"
#include "passes/shard/choose_axes.h"
#include "passes/train/objective.h"
#include "runtime/plan/plan.pb.h"

#include "llvm/ADT/StringMap.h"

namespace autotp {

/// What the model file says beside its graph.
struct ModelSource {
  std::string digest;
  llvm::StringMap<std::string> moduleNames; ///< see ImportedModel
  std::vector<std::string> notes;           ///< see ImportedModel
  bool hasOwnOptimizer = false;             ///< whether the updates are those of the model, not those of options
  bool hasOwnBackward = false;              ///< see ImportedModel::hasGradients
  bool hadDoubles = false; ///< whether parameters or inputs are f64 in the file; they are trained in f32
};

/// How each initializer is classified, and what else was found about them.
struct ParameterFindings {
  std::vector<ClassifiedInitializer> initializers;
  std::vector<std::string> retied, equalWeights;
  std::vector<std::string> separated, restored; ///< parameters that the exporter had merged, or dropped
  /// Such as "row 1 of e.weight", if no exporter says whether the row is padding.
  std::vector<std::string> perhapsPadding;
  std::vector<std::string> unknownNames; ///< names in --parameters that no parameter of the graph has
};

/// What files of weights fill: those that --weights names, or the model's own if the plan refers to them.
struct FilledWeights {
  std::shared_ptr<const StoredWeights> stored;    ///< null: there are no such files
  std::map<std::string, WeightMatch> byParameter; ///< of each that is trained
  size_t passedOver = 0;                          ///< tensors of it that are no weights
  size_t assumed = 0;                             ///< see WeightFilling::assumed()
  NamePrefix prefix;                              ///< by which its names differ from those of the module
  bool areReferenced = false;                     ///< the plan says where they lie, instead of a copy
  std::string whyCopied = {};                     ///< though they are large
  /// The digest of each file by its path, if the plan refers to them.
  std::vector<std::pair<std::string, std::string>> digests = {};
};

/// The loss, the samples and the updates of training.
struct TrainingFacts {
  Objective objective{LossKind::Mean};
  LossTerms lossTerms; ///< how the loss became that of the global batch, unless it is the mean of one cross-entropy
  Updates updates;     ///< of the parameters (compiler/ir/updates.h)
  DType dtype = DType::F32; ///< type of parameters and activations
  std::vector<InputRole> inputs;
  int64_t microBatch = 1; ///< number of samples that the inputs hold
};

/// What is sharded over tp, and where Partial sums are reduced.
struct TpPlacement {
  GraphAxes axes;
  ChosenAxes chosen;
  Reductions reductions;
  std::optional<SequenceRegion> region; ///< with sequence parallelism only
};

/// Results for each tp rank, by tp rank. A stage fills one list; lists of stages that have not run are empty.
struct TpRanks {
  std::vector<LocalProgram> locals; ///< moved from by build-steps
  std::vector<RankProgram> programs;
  std::vector<MemoryPlan> memory;
  std::vector<plan::Program> emitted; ///< the programs that the runtime executes
  unsigned recomputed = 0;            ///< number of values that the backward computes again, on one rank
};

struct StageTime {
  std::string stage;
  double seconds;
};

struct CompiledModel {
  ModelSource source;
  ParameterFindings evidence;
  FilledWeights weights;
  Graph graph; ///< the global graph, with gradients after differentiation
  TrainingFacts training;
  TpPlacement placement;
  TpRanks ranks;
  std::optional<Certificate> certificate;
  std::vector<StageTime> times; ///< of each pass that ran, in order
};

} // namespace autotp

/// \file The compiler, from a model file to the programs of every tp coordinate. pipeline.cpp holds the list of passes.
#pragma once

#include "compiler/certify/certify.h"
#include "compiler/onnx/import.h"
#include "passes/emit/emit_program.h"
#include "passes/import/bind_loss.h"
#include "passes/import/classify_parameters.h"
#include "passes/import/input_roles.h"
#include "passes/partition/bind_batch.h"
#include "passes/shard/choose_axes.h"
#include "passes/train/build_steps.h"
#include "passes/train/differentiate.h"
#include "passes/train/recompute.h"

#include "llvm/Support/raw_ostream.h"

namespace autotp {

struct CompileOptions {
  std::string model;
  ImportOptions import;
  ParameterOverrides parameters;
  llvm::StringMap<std::string> inputRoles;
  LossOptions loss;
  bool retie = true, recognise = true;
  bool tiesByContents = true; ///< where no exporter says what is one: the contents of the file count
  bool verify = true;         ///< prove the plan against the graph (compiler/certify)
  ShardMode shard = ShardMode::Auto;
  PartitionRules rules;
  bool sequenceParallel = false;
  Recompute recompute = Recompute::None;
  StepOptions step;
  std::vector<std::string> optimizerSaidBy; ///< flags that say something of the optimizer, for messages
  MemoryOptions memory;
  std::optional<DType> dtype; ///< of parameters and activations: F32, BF16 or F16; none: as the model's own
  std::string printAfter;     ///< a pass, or "all"
  std::string stopAfter;
  llvm::raw_ostream *printTo = nullptr;
};

struct CompiledModel {
  std::string sha256;
  llvm::StringMap<std::string> moduleNames; ///< see ImportedModel
  Graph graph;                              ///< global, with gradients
  GraphAxes axes;
  ChosenAxes chosen;
  Reductions reductions;
  std::optional<SequenceRegion> region; ///< with sequence parallelism
  Objective objective{LossKind::Mean};
  LossTerms lossTerms;          ///< how the loss is that of the global batch, where it is no cross-entropy's mean
  Updates updates;              ///< of the parameters, see compiler/ir/updates.h
  bool hasOwnOptimizer = false; ///< updates are the model's, not of options
  bool hasOwnBackward = false;  ///< see ImportedModel::hasGradients
  DType dtype = DType::F32;     ///< of parameters and activations
  bool hadDoubles = false;      ///< the model's parameters or inputs are f64, and train in f32
  std::vector<InputRole> inputs;
  int64_t microBatch = 1; ///< samples that the inputs hold
  std::vector<std::string> retied, equalWeights;
  std::vector<std::string> notes;                  ///< see ImportedModel
  std::vector<std::string> separated, restored;    ///< parameters that the exporter had merged, or dropped
  std::vector<std::string> perhapsPadding;         ///< "row 1 of e.weight", of which no exporter says whether it is
  std::vector<std::string> unknownNames;           ///< of --parameters, that no parameter of the graph has
  std::vector<ClassifiedInitializer> initializers; ///< what each is, and by which evidence
  unsigned recomputed = 0;                         ///< values that each coordinate computes again in the backward
  std::vector<RankProgram> programs;               ///< by tp coordinate; empty where --stop-after ended earlier
  std::vector<MemoryPlan> memory;
  std::vector<plan::Program> emitted; ///< by tp coordinate: what the runtime executes
  std::optional<Certificate> certificate;
  double certifySeconds = 0;
};

/// What a plan of these options is proven to do.
CertifyOptions certifyOptions(const StepOptions &step, const CompiledModel &compiled);

llvm::Expected<CompiledModel> compile(const CompileOptions &options);

/// The names of all passes on the global graph, in order: what --print-after and --stop-after take.
std::vector<std::string> passNames();
/// Those of them that make the global graph, before anything is sharded.
std::vector<std::string> graphPasses();

} // namespace autotp

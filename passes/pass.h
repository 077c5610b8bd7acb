/// \file A row of the list of passes: what runs, on what, and which form it needs and leaves.
#pragma once

#include "compiler/onnx/import.h"
#include "passes/import/exporter_verdicts.h"
#include "passes/import/fill_weights.h"
#include "passes/import/find_ties.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <variant>

namespace autotp {

struct CompiledModel;
struct CompileOptions;

/// What holds of a model between two passes. verify_form.h checks it after each pass.
enum class Form : uint8_t {
  File,      ///< nothing is read yet
  Imported,  ///< the global graph is typed and acyclic
  Training,  ///< it has a gradient for each parameter, beside the loss
  WithAxes,  ///< each dimension of each value has its logical axes
  Chosen,    ///< it is decided which of these tp shards
  Placed,    ///< each Partial value is reduced before a use that cannot take it
  Local,     ///< each tp rank has its graph, with local shapes and all collectives over tp
  Scheduled, ///< each tp rank has the sections of a step, over states: accumulation, reduction over dp, update
  Addressed, ///< each value of the sections has an address in the rank's arena
  Emitted,   ///< each tp rank has the program that the runtime executes
  Proven,    ///< the programs are proven to compute the global graph
};

/// What passes work on. `options` and `compiled` belong to the caller.
struct PassState {
  const CompileOptions &options;
  CompiledModel &compiled;
  /// After import-model its graph is CompiledModel::graph, and names and notes are in ModelSource.
  ImportedModel imported = {};
  bool mayTakeTwo = false; ///< whether import-model may take a batch of two samples, see compile()
  bool tookTwo = false;
  int64_t microBatch = 0; ///< samples to which bind-batch binds the graph; 0: the graph has the right number
  std::map<std::string, ExporterVerdict> exporter = {};
  std::vector<Tie> ties = {};
  std::map<std::string, WeightOrigin> origins = {};
  std::shared_ptr<const StoredWeights> stored = nullptr;
  std::unique_ptr<WeightFilling> filling = nullptr; ///< if a file of weights is given
  Form form = Form::File;
};

using GraphPass = llvm::Error (*)(Graph &graph, PassState &state);   ///< changes the global graph
using ModelPass = llvm::Error (*)(PassState &state);                 ///< decides something about the whole model
using RankPass = llvm::Error (*)(PassState &state, unsigned tpRank); ///< runs once for each tp rank

enum PassTraits : uint8_t {
  kAlways = 0,
  kOfForwards = 1,  ///< skipped if the model brings its own backward, which stays as it is
  kOptional = 2,    ///< a plan without it computes the same; --skip-pass leaves it out
  kRecognition = 4, ///< finds nodes for which there is a faster kernel; --no-recognise leaves out all of these
  kOnText = 8       ///< reads nothing of a tp rank but its graph, so autotp-opt may begin with it
};

struct Pass {
  llvm::StringLiteral name;
  Form needs, leaves;
  std::variant<GraphPass, ModelPass, RankPass> run;
  uint8_t traits = kAlways;

  bool is(PassTraits trait) const { return (traits & trait) != 0; }
  bool isOnGraph() const { return std::holds_alternative<GraphPass>(run); }
};

} // namespace autotp

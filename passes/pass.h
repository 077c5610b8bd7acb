/// \file A row of the list of passes: what runs, on what, and the form that it needs and leaves.
#pragma once

#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/import/exporter_verdicts.h"
#include "passes/import/find_ties.h"

#include <map>
#include <variant>

namespace autotp {

/// What holds of a model on its way through the compiler. verify_form.h checks it after each pass.
enum class Form : uint8_t {
  File,      ///< nothing is read yet
  Imported,  ///< the global graph is typed and acyclic
  Training,  ///< it has a gradient for each parameter, beside the loss
  WithAxes,  ///< each dimension of each value has its logical axes
  Chosen,    ///< which of these lie on tp is decided
  Placed,    ///< each Partial sum is reduced before a use that cannot take it
  Local,     ///< each tp rank has its graph, with local shapes and every collective over tp
  Scheduled, ///< each tp rank has the sections of a step, over states: accumulation, reduction over dp, update
  Addressed, ///< each value of these has its bytes in the rank's arena
  Emitted,   ///< each tp rank has the program that the runtime executes
  Proven,    ///< these are proven to compute the global graph
};

/// What passes work on.
struct PassState {
  const CompileOptions &options;
  CompiledModel &compiled;
  ImportedModel imported = {}; ///< from import on its graph is CompiledModel::graph, names and notes are in ModelSource
  bool mayTakeTwo = false;     ///< see compile()
  bool tookTwo = false;
  int64_t microBatch = 0; ///< that the graph is to be bound to; 0: it has it already
  std::map<std::string, ExporterVerdict> exporter = {};
  std::vector<Tie> ties = {};
  Form form = Form::File;
};

using GraphPass = llvm::Error (*)(Graph &graph, PassState &state);   ///< changes the global graph
using ModelPass = llvm::Error (*)(PassState &state);                 ///< decides something of the whole model
using RankPass = llvm::Error (*)(PassState &state, unsigned tpRank); ///< runs for each tp rank

enum PassTraits : uint8_t {
  kAlways = 0,
  kOfForwards = 1,  ///< for graphs without a backward: one that brings its own stays as it is
  kOptional = 2,    ///< a plan without it computes the same: --skip-pass leaves it out
  kRecognition = 4, ///< finds what a faster kernel does at once: --no-recognise leaves all of these out
  kOnText = 8       ///< reads nothing of a tp rank but its graph: autotp-opt may begin with it
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

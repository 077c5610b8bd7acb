#include "passes/pipeline.h"

#include "compiler/sharding/find_axes.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/emit/emit_program.h"
#include "passes/emit/order_queues.h"
#include "passes/import/canonicalise.h"
#include "passes/import/check_losses.h"
#include "passes/import/check_merged.h"
#include "passes/import/fold_transposes.h"
#include "passes/import/mark_padding.h"
#include "passes/import/order_nodes.h"
#include "passes/import/restore_biases.h"
#include "passes/import/restore_tables.h"
#include "passes/import/separate_merged.h"
#include "passes/partition/fuse_epilogues.h"
#include "passes/pass.h"
#include "passes/recognise/cancel_transposes.h"
#include "passes/recognise/expand_split_norms.h"
#include "passes/recognise/recognise_attention.h"
#include "passes/recognise/recognise_gelu.h"
#include "passes/recognise/recognise_layer_norm.h"
#include "passes/recognise/recognise_rms_norm.h"
#include "passes/recognise/recognise_rotary.h"
#include "passes/recognise/recognise_silu.h"
#include "passes/recognise/recognise_swiglu.h"
#include "passes/run_passes.h"
#include "passes/stages.h"
#include "passes/train/bind_dropout.h"
#include "passes/train/lower_precision.h"
#include "runtime/plan/check_program.h"

namespace autotp {
namespace {

llvm::Error done() { return llvm::Error::success(); }

template <llvm::Error (*kPass)(Graph &)> llvm::Error onGraph(Graph &graph, PassState &) { return kPass(graph); }

constexpr uint8_t kIdiom = kOfForwards | kOptional | kRecognition;

using enum Form;

constexpr Pass kPasses[] = {
    {"import-model", File, Imported, importStage},
    // The exporter's facts are by node of the graph as imported, so these run before any pass that makes new nodes.
    {"check-losses", Imported, Imported, [](Graph &g, PassState &s) { return checkLosses(g, s.imported.exporter); },
     kOfForwards},
    {"check-merged", Imported, Imported,
     [](Graph &g, PassState &s) {
       return s.options.parameters.assumesRoles ? done() : checkMerged(g, s.imported.exporter);
     },
     kOfForwards},
    {"separate-merged", Imported, Imported,
     [](Graph &g, PassState &s) { return separateMerged(g, s.imported.exporter, s.compiled.evidence.separated); },
     kOfForwards},
    {"restore-biases", Imported, Imported,
     [](Graph &g, PassState &s) { return restoreBiases(g, s.imported.exporter, s.compiled.evidence.restored); },
     kOfForwards},
    {"restore-tables", Imported, Imported,
     [](Graph &g, PassState &s) { return restoreTables(g, s.imported.exporter, s.compiled.evidence.restored); },
     kOfForwards},
    {"mark-padding", Imported, Imported,
     [](Graph &g, PassState &s) { return markPadding(g, s.imported.exporter, s.compiled.evidence.perhapsPadding); },
     kOfForwards},
    {"find-ties", Imported, Imported,
     [](Graph &g, PassState &s) {
       s.ties = findTies(g, s.imported.exporter, s.compiled.source.moduleNames);
       s.exporter = exporterVerdicts(g, s.imported.exporter);
       return done();
     },
     kOfForwards},
    {"find-origins", Imported, Imported,
     [](Graph &g, PassState &s) {
       const ParameterFindings &found = s.compiled.evidence;
       s.origins =
           weightOrigins(g, s.imported.exporter, {s.compiled.source.moduleNames, found.separated, found.restored});
       return done();
     }},
    {"bind-loss", Imported, Imported, [](Graph &g, PassState &s) { return bindLoss(g, s.options.loss); }, kOfForwards},
    {"order-nodes", Imported, Imported,
     [](Graph &g, PassState &s) {
       orderNodes(g);
       s.imported.initializers = g.sources(ValueKind::Parameter);
       return done();
     }},
    // Roles are read from the operators as exported, since folding would hide tables that constants look up.
    {"classify-parameters", Imported, Imported, classifyStage},
    {"fill-frozen", Imported, Imported, fillFrozenStage},
    // From here to lower-precision, a model in bf16 is the same graph as one in f32.
    {"raise-precision", Imported, Imported,
     [](Graph &g, PassState &s) {
       const RaisedPrecision raised = raisePrecision(g);
       s.compiled.training.dtype = s.options.dtype.value_or(raised.own);
       s.compiled.source.hadDoubles = raised.hadDoubles;
       return done();
     }},
    {"canonicalise", Imported, Imported, onGraph<canonicalise>},
    // The batch is bound through its logical axis, on the smallest graph that has its parameters.
    {"bind-batch", Imported, Imported, bindBatchStage, kOfForwards},
    {"retie-weights", Imported, Imported, retieStage},
    {"match-weights", Imported, Imported, matchWeightsStage},
    {"input-roles", Imported, Imported, inputRolesStage},
    // Idioms are found on the forward graph, since gradients would use values inside them. Attention looks for
    // transposed products, so transposes are folded into products after it.
    {"recognise-rms-norm", Imported, Imported, onGraph<recogniseRmsNorm>, kIdiom},
    {"recognise-layer-norm", Imported, Imported, onGraph<recogniseLayerNorm>, kIdiom},
    {"recognise-rotary", Imported, Imported, onGraph<recogniseRotary>, kIdiom},
    {"recognise-attention", Imported, Imported, onGraph<recogniseAttention>, kIdiom},
    {"recognise-gelu", Imported, Imported, onGraph<recogniseGelu>, kIdiom},
    {"recognise-silu", Imported, Imported, onGraph<recogniseSilu>, kIdiom},
    {"recognise-swiglu", Imported, Imported, onGraph<recogniseSwiglu>, kIdiom},
    {"cancel-transposes", Imported, Imported, onGraph<cancelTransposes>, kOptional | kRecognition},
    {"fold-transposes", Imported, Imported, onGraph<foldTransposes>},
    {"canonicalise-again", Imported, Imported, onGraph<canonicalise>},
    {"bind-dropout", Imported, Imported,
     [](Graph &g, PassState &s) { return bindDropout(g, s.imported.withoutBatch); }},
    {"expand-split-norms", Imported, Imported,
     [](Graph &g, PassState &s) { return s.options.step.tp > 1 ? expandSplitNorms(g) : done(); }, kOfForwards},
    // Before differentiate, so that each gradient has the type of its value.
    {"lower-precision", Imported, Imported,
     [](Graph &g, PassState &s) {
       lowerPrecision(g, s.compiled.training.dtype);
       return canonicalise(g);
     }},
    {"differentiate", Imported, Training, differentiateStage},
    {"lower-gradients", Training, Training,
     [](Graph &g, PassState &s) {
       lowerGradients(g, s.compiled.training.dtype);
       return done();
     }},
    {"canonicalise-gradients", Training, Training, onGraph<canonicalise>},
    // The choice of axes estimates what they make ranks send, so axes are found on the graph that has the backward.
    {"find-axes", Training, WithAxes,
     [](PassState &s) {
       s.compiled.placement.axes = findAxes(s.compiled.graph);
       return done();
     }},
    {"choose-axes", WithAxes, Chosen, chooseAxesStage},
    {"place-reductions", Chosen, Placed, placeReductionsStage},
    {"localise", Placed, Local, localiseStage},
    {"recompute", Local, Local,
     [](PassState &s, unsigned r) {
       s.compiled.ranks.recomputed = recompute(s.compiled.ranks.locals[r].graph, s.options.recompute);
       return done();
     },
     kOnText},
    {"build-steps", Local, Scheduled, buildStepsStage},
    // Epilogues are fused last, so that recomputation and buckets see the operators of the graph.
    {"fuse-epilogues", Scheduled, Scheduled,
     [](PassState &s, unsigned r) {
       RankProgram &program = s.compiled.ranks.programs[r];
       fuseEpilogues(program.microStep);
       if (program.evaluate) fuseEpilogues(*program.evaluate);
       return done();
     },
     kOptional | kRecognition | kOnText},
    {"plan-memory", Scheduled, Addressed,
     [](PassState &s, unsigned r) {
       s.compiled.ranks.memory.push_back(planMemory(s.compiled.ranks.programs[r], s.options.memory));
       return done();
     }},
    {"emit-program", Addressed, Emitted,
     [](PassState &s, unsigned r) {
       TpRanks &ranks = s.compiled.ranks;
       ranks.emitted.push_back(emitProgram(s.compiled.graph, ranks.programs[r], ranks.memory[r]));
       return checkDTypes(ranks.emitted.back());
     }},
    {"order-queues", Emitted, Emitted,
     [](PassState &s, unsigned r) {
       orderQueues(s.compiled.ranks.emitted[r], s.options.step.dp);
       return done();
     }},
    {"certify", Emitted, Proven, certifyStage, kOptional},
};

/// Each pass needs the form that the one before it leaves.
constexpr bool isChained() {
  Form form = Form::File;
  for (const Pass &pass : kPasses) {
    if (pass.needs != form || pass.leaves < form) return false;
    form = pass.leaves;
  }
  return form == Form::Proven;
}
static_assert(isChained());

/// The names of the passes for which `isWanted` is true, in order.
std::vector<std::string> namesOf(llvm::function_ref<bool(const Pass &)> isWanted) {
  std::vector<std::string> names;
  for (const Pass &pass : kPasses)
    if (isWanted(pass)) names.push_back(pass.name.str());
  return names;
}

} // namespace

llvm::ArrayRef<Pass> allPasses() { return kPasses; }

std::vector<std::string> passNames() {
  return namesOf([](const Pass &) { return true; });
}

std::vector<std::string> optionalPassNames() {
  return namesOf([](const Pass &pass) { return pass.is(kOptional); });
}

std::string lastGraphPass() {
  return namesOf([](const Pass &pass) { return pass.isOnGraph(); }).back();
}

CertifyOptions certifyOptions(const StepOptions &step, const CompiledModel &compiled) {
  CertifyOptions options{step.tp, step.dp, step.gradAccum, &compiled.training.updates};
  const LossScaleOptions &scale = step.lossScale;
  if (const Objective &o = compiled.training.objective; o.lossScale != kNone)
    options.lossScale = {o.lossScale,      o.scaleShare,  scale.initial, scale.window,
                         scale.hysteresis, scale.minimum, scale.refills, scale.isLate};
  return options;
}

llvm::Expected<CompiledModel> compile(const CompileOptions &options) {
  CompiledModel compiled;
  PassState state{options, compiled};
  state.mayTakeTwo = true;
  llvm::Error ofTwo = runPasses(kPasses, state);
  if (!ofTwo) return compiled;
  if (!state.tookTwo || state.form >= Form::Training) return ofTwo;
  CompiledModel again;
  PassState ofOne{options, again};
  if (llvm::Error error = runPasses(kPasses, ofOne)) return llvm::joinErrors(std::move(error), std::move(ofTwo));
  llvm::consumeError(std::move(ofTwo)); // the batch of two samples was not needed
  return again;
}

} // namespace autotp

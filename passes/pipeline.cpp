#include "passes/pipeline.h"

#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "compiler/sharding/batch_axis.h"
#include "compiler/sharding/find_axes.h"
#include "passes/check_options.h"
#include "passes/emit/order_queues.h"
#include "passes/import/canonicalise.h"
#include "passes/import/check_losses.h"
#include "passes/import/check_merged.h"
#include "passes/import/exporter_verdicts.h"
#include "passes/import/find_ties.h"
#include "passes/import/fold_transposes.h"
#include "passes/import/mark_padding.h"
#include "passes/import/order_nodes.h"
#include "passes/import/parameter_names.h"
#include "passes/import/restore_biases.h"
#include "passes/import/restore_tables.h"
#include "passes/import/retie_weights.h"
#include "passes/import/separate_merged.h"
#include "passes/partition/fuse_epilogues.h"
#include "passes/partition/localise.h"
#include "passes/recognise/cancel_transposes.h"
#include "passes/recognise/expand_split_norms.h"
#include "passes/recognise/recognise_attention.h"
#include "passes/recognise/recognise_gelu.h"
#include "passes/recognise/recognise_layer_norm.h"
#include "passes/recognise/recognise_rms_norm.h"
#include "passes/recognise/recognise_rotary.h"
#include "passes/recognise/recognise_silu.h"
#include "passes/recognise/recognise_swiglu.h"
#include "passes/shard/place_reductions.h"
#include "passes/shard/sequence_region.h"
#include "passes/train/bind_dropout.h"
#include "passes/train/bind_gradients.h"
#include "passes/train/lower_precision.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/check_program.h"

#include <chrono>

namespace autotp {
namespace {

/// What a pass on the global graph may look at and leave behind.
struct State {
  const CompileOptions &options;
  ImportedModel &imported;
  CompiledModel &compiled;
  int64_t microBatch; ///< that the graph is to be bound to; 0: it has it already
  std::map<std::string, ExporterVerdict> exporter = {};
  std::vector<Tie> ties = {};
};

llvm::Error classify(Graph &graph, State &s) {
  const OptimizerOptions &optimizer = s.options.step.optimizer;
  if (!s.imported.updates)
    return classifyParameters(graph, s.imported.initializers,
                              {s.options.parameters, s.imported.moduleNames, s.exporter, s.imported.exporter.exporter,
                               s.imported.untrained,
                               s.options.retie ? llvm::ArrayRef<Tie>(s.ties) : llvm::ArrayRef<Tie>(),
                               optimizer.decaysAll && optimizer.weightDecay != 0},
                              s.compiled.initializers);
  return takeParameters(
      graph, s.imported.initializers,
      [&](const std::string &name) { return s.imported.updates->parameters.count(name) != 0; },
      s.compiled.initializers);
}

llvm::Error retie(Graph &graph, State &s) {
  const ParameterOverrides &given = s.options.parameters;
  RetieOptions options;
  if (s.options.retie && !s.imported.updates) {
    auto ties = tiesOfList(graph, given.ties, s.imported.moduleNames);
    if (!ties) return ties.takeError();
    options.said = std::move(*ties);
    llvm::append_range(options.said, s.ties);
    const Exporter exporter = s.imported.exporter.exporter;
    options.byContents = s.options.tiesByContents && exporter != Exporter::Dynamo;
    const bool isSaid = given.isListed || !given.train.empty() || !given.only.empty();
    options.doubtsEqual = exporter == Exporter::Unknown && !isSaid && !given.assumesRoles;
    s.compiled.unknownNames = namesOfNone(graph, given.listed, s.imported.moduleNames);
  }
  return retieWeights(graph, options, s.compiled.retied, s.compiled.equalWeights);
}

struct PassEntry {
  const char *name;
  llvm::Error (*run)(Graph &graph, State &state);
  bool isOfForwards = false; ///< is for graphs without a backward: one that brings its own stays as it is
};
constexpr bool kOfForwards = true;

template <llvm::Error (*kRecognise)(Graph &)> llvm::Error recognise(Graph &graph, State &state) {
  return state.options.recognise ? kRecognise(graph) : llvm::Error::success();
}

/// Which inputs hold a row for each sample, and what each element of it may be.
void findSamples(const Graph &graph, State &state) {
  const Batch batch = findBatch(graph, findAxes(graph, Cuts::Dimensions), state.imported.withoutBatch);
  for (auto [i, input] : indexed(graph.sources(ValueKind::Input))) {
    InputRole &role = state.compiled.inputs[i];
    role.isBatched = batch.isBatched[i];
    role.bounds = inputBounds(graph, input, role.isBatched ? batch.size : 1);
  }
  state.compiled.microBatch = batch.size;
}

constexpr PassEntry kPipeline[] = {
    // What an exporter says is by node, as imported: these come before any pass that makes the graph anew.
    {"check-losses", [](Graph &g, State &s) { return checkLosses(g, s.imported.exporter); }, kOfForwards},
    {"check-merged",
     [](Graph &g, State &s) {
       return s.options.parameters.assumesRoles ? llvm::Error::success() : checkMerged(g, s.imported.exporter);
     },
     kOfForwards},
    {"separate-merged", [](Graph &g, State &s) { return separateMerged(g, s.imported.exporter, s.compiled.separated); },
     kOfForwards},
    {"restore-biases", [](Graph &g, State &s) { return restoreBiases(g, s.imported.exporter, s.compiled.restored); },
     kOfForwards},
    {"restore-tables", [](Graph &g, State &s) { return restoreTables(g, s.imported.exporter, s.compiled.restored); },
     kOfForwards},
    {"mark-padding", [](Graph &g, State &s) { return markPadding(g, s.imported.exporter, s.compiled.perhapsPadding); },
     kOfForwards},
    {"find-ties",
     [](Graph &g, State &s) -> llvm::Error {
       s.ties = findTies(g, s.imported.exporter, s.imported.moduleNames);
       s.exporter = exporterVerdicts(g, s.imported.exporter);
       return llvm::Error::success();
     },
     kOfForwards},
    {"bind-loss", [](Graph &g, State &s) { return bindLoss(g, s.options.loss); }, kOfForwards},
    {"order-nodes",
     [](Graph &g, State &s) -> llvm::Error {
       orderNodes(g);
       s.imported.initializers = g.sources(ValueKind::Parameter);
       return llvm::Error::success();
     }},
    // Roles are read from the operators as exported: folding would hide tables that constants look up.
    {"classify-parameters", classify},
    // A model in bf16 is the same graph as one in fp32 to all passes up to lower-precision.
    {"raise-precision",
     [](Graph &g, State &s) -> llvm::Error {
       const RaisedPrecision raised = raisePrecision(g);
       s.compiled.dtype = s.options.dtype.value_or(raised.own);
       s.compiled.hadDoubles = raised.hadDoubles;
       return llvm::Error::success();
     }},
    {"canonicalise", [](Graph &g, State &) { return canonicalise(g); }},
    // A static batch is bound through its logical axis, on the smallest graph that has its parameters.
    {"bind-batch",
     [](Graph &g, State &s) -> llvm::Error {
       const StepOptions &step = s.options.step;
       llvm::Expected<LossTerms> terms =
           bindBatch(g, s.microBatch, int64_t(step.dp) * step.gradAccum, s.imported.withoutBatch);
       if (!terms) return terms.takeError();
       s.compiled.lossTerms = std::move(*terms);
       return llvm::Error::success();
     },
     kOfForwards},
    {"retie-weights", retie},
    {"input-roles",
     [](Graph &g, State &s) -> llvm::Error {
       llvm::Expected<std::vector<InputRole>> roles = inputRoles(g, s.options.inputRoles);
       if (!roles) return roles.takeError();
       s.compiled.inputs = std::move(*roles);
       findSamples(g, s);
       return llvm::Error::success();
     }},
    // Idioms are found on the forward graph: their outline is gone once gradients are added. Attention looks for
    // transposed products, so trans flags come after it.
    {"recognise-rms-norm", recognise<recogniseRmsNorm>, kOfForwards},
    {"recognise-layer-norm", recognise<recogniseLayerNorm>, kOfForwards},
    {"recognise-rotary", recognise<recogniseRotary>, kOfForwards},
    {"recognise-attention", recognise<recogniseAttention>, kOfForwards},
    {"recognise-gelu", recognise<recogniseGelu>, kOfForwards},
    {"recognise-silu", recognise<recogniseSilu>, kOfForwards},
    {"recognise-swiglu", recognise<recogniseSwiglu>, kOfForwards},
    {"cancel-transposes", recognise<cancelTransposes>},
    {"fold-transposes", [](Graph &g, State &) { return foldTransposes(g); }},
    {"canonicalise-again", [](Graph &g, State &) { return canonicalise(g); }},
    {"bind-dropout", [](Graph &g, State &s) { return bindDropout(g, s.imported.withoutBatch); }},
    {"expand-split-norms",
     [](Graph &g, State &s) { return s.options.step.tp > 1 ? expandSplitNorms(g) : llvm::Error::success(); },
     kOfForwards},
    // Before differentiate, so that gradients have the dtypes of what they are the gradients of.
    {"lower-precision",
     [](Graph &g, State &s) -> llvm::Error {
       lowerPrecision(g, s.compiled.dtype);
       return canonicalise(g);
     }},
    {"differentiate",
     [](Graph &g, State &s) -> llvm::Error {
       llvm::Expected<Objective> objective =
           s.imported.hasGradients ? bindGradients(g) : differentiate(g, s.compiled.dtype == DType::F16);
       if (!objective) return objective.takeError();
       s.compiled.objective = *objective;
       return llvm::Error::success();
     }},
    {"lower-gradients",
     [](Graph &g, State &s) -> llvm::Error {
       lowerGradients(g, s.compiled.dtype);
       return llvm::Error::success();
     }},
    {"canonicalise-gradients", [](Graph &g, State &) { return canonicalise(g); }},
};

/// After the list above, on every tp coordinate. Order: axes are chosen by what they would send, so they come first.
/// Epilogues are fused last: recomputation and buckets see the operators alone, as the graph has them.
constexpr llvm::StringLiteral kShardingPasses[] = {"find-axes", "place-reductions", "partition", "fuse-epilogues"};

bool isPrinted(const CompileOptions &options, llvm::StringRef pass) {
  return options.printTo && (options.printAfter == "all" || options.printAfter == pass);
}

llvm::Error runPipeline(Graph &graph, State &state) {
  const CompileOptions &options = state.options;
  for (const PassEntry &pass : kPipeline) {
    if (pass.isOfForwards && state.imported.hasGradients) continue;
    if (llvm::Error error = pass.run(graph, state)) return error;
    // Printed before it is verified, so that a broken graph can be read.
    if (isPrinted(options, pass.name)) {
      *options.printTo << "# after " << pass.name << "\n";
      print(graph, *options.printTo);
    }
    if (llvm::Error error = verify(graph))
      return llvm::joinErrors(
          problem(pass.name, "this pass left a broken graph", "report this as a bug, with the model"),
          std::move(error));
    if (options.stopAfter == pass.name) break;
  }
  return llvm::Error::success();
}

/// What the passes that shard decide, beside the values of the global graph.
void printAxes(const CompiledModel &compiled, const CompileOptions &options) {
  AxisNames names(compiled.graph, compiled.axes);
  *options.printTo << "# after find-axes: the axes of every value's dimensions\n";
  print(compiled.graph, *options.printTo, [&](ValueId value) { return names.text(value); });
}

void printPlaced(const CompiledModel &compiled, const CompileOptions &options) {
  const Reductions &reductions = compiled.reductions;
  *options.printTo << "# after place-reductions: the dimensions that lie on tp, and pending sums\n";
  print(compiled.graph, *options.printTo, [&](ValueId value) {
    std::string text;
    for (AxisId term : compiled.axes.values[value]) {
      text += text.empty() ? " @[" : ", ";
      text += isSharded(compiled.axes.arena, term, compiled.chosen.assignment) ? "tp" : "_";
    }
    text += text.empty() ? "" : "]";
    if (reductions.isPartial[value]) text += reductions.isReduced[value] ? " reduced(tp)" : " partial(tp)";
    return text;
  });
}

llvm::Error placeSums(CompiledModel &compiled, const CompileOptions &options) {
  const Assignment &chosen = compiled.chosen.assignment;
  if (!options.sequenceParallel || options.step.tp == 1) {
    compiled.reductions = placeReductions(compiled.graph, compiled.axes, chosen, options.step.tp);
    return llvm::Error::success();
  }
  llvm::SmallVector<ValueId, 2> tokens;
  for (auto [i, input] : indexed(compiled.graph.sources(ValueKind::Input)))
    if (compiled.inputs[i].role == "tokens") tokens.push_back(input);
  auto sequence = sequenceLeaves(compiled.axes, tokens, options.step.tp);
  if (!sequence) return sequence.takeError();
  SequencePlacement placement = placeSequence(compiled.graph, compiled.axes, chosen, *sequence, options.step.tp);
  compiled.reductions = std::move(placement.reductions);
  compiled.region = std::move(placement.region);
  return llvm::Error::success();
}

/// Prints a coordinate's section after a pass, if it was asked for, and verifies it.
llvm::Error finishSection(const Section &section, llvm::StringRef pass, int coordinate, const CompileOptions &options) {
  if (isPrinted(options, pass)) {
    *options.printTo << "# " << section.name << " of tp coordinate " << coordinate << " after " << pass << "\n";
    print(section.graph, *options.printTo);
  }
  return verify(section.graph);
}

llvm::Error partitionAll(CompiledModel &compiled, const CompileOptions &options) {
  int tp = options.step.tp;
  compiled.axes = findAxes(compiled.graph);
  if (isPrinted(options, "find-axes")) printAxes(compiled, options);
  if (options.stopAfter == "find-axes") return llvm::Error::success();
  auto rules = resolveRules(compiled.graph, compiled.axes, options.rules, compiled.moduleNames);
  if (!rules) return rules.takeError();
  auto chosen = chooseAxes(compiled.graph, compiled.axes, tp, options.shard, *rules);
  if (!chosen) return chosen.takeError();
  compiled.chosen = std::move(*chosen);
  if (llvm::Error error = placeSums(compiled, options)) return error;
  if (isPrinted(options, "place-reductions")) printPlaced(compiled, options);
  if (options.stopAfter == "place-reductions") return llvm::Error::success();
  PlacedGraph placed{compiled.graph, compiled.axes, compiled.chosen.assignment, compiled.reductions, tp};
  if (compiled.region) placed.region = &*compiled.region;
  for (int c = 0; c < tp; ++c) {
    llvm::Expected<LocalProgram> local = localise(placed, c);
    if (!local) return local.takeError();
    compiled.recomputed = recompute(local->graph, options.recompute);
    if (llvm::Error error = verify(local->graph)) return error;
    compiled.programs.push_back(
        buildSteps(compiled.graph, std::move(*local), compiled.objective, compiled.updates, options.step));
    RankProgram &program = compiled.programs.back();
    for (const Section *section : program.sections())
      if (llvm::Error error = finishSection(*section, "partition", c, options)) return error;
    if (options.stopAfter == "partition") continue;
    if (options.recognise) fuseEpilogues(program.microStep);
    if (llvm::Error error = finishSection(program.microStep, "fuse-epilogues", c, options)) return error;
    if (options.stopAfter == "fuse-epilogues") continue;
    compiled.memory.push_back(planMemory(program, options.memory));
    compiled.emitted.push_back(emitProgram(compiled.graph, program, compiled.memory.back()));
    if (llvm::Error error = checkDTypes(compiled.emitted.back())) return error;
    orderQueues(compiled.emitted.back(), options.step.dp);
  }
  return llvm::Error::success();
}

} // namespace

std::vector<std::string> graphPasses() {
  std::vector<std::string> names;
  for (const PassEntry &pass : kPipeline)
    names.push_back(pass.name);
  return names;
}

std::vector<std::string> passNames() {
  std::vector<std::string> names = graphPasses();
  for (llvm::StringRef name : kShardingPasses)
    names.push_back(name.str());
  return names;
}

CertifyOptions certifyOptions(const StepOptions &step, const CompiledModel &compiled) {
  CertifyOptions options{step.tp, step.dp, step.gradAccum, &compiled.updates};
  if (const Objective &o = compiled.objective; o.lossScale != kNone)
    options.lossScale = {o.lossScale, o.scaleShare, step.lossScale.initial, step.lossScale.window};
  return options;
}

static llvm::Error certifyAll(CompiledModel &compiled, const CompileOptions &options) {
  std::vector<const plan::Program *> byTp;
  for (const plan::Program &program : compiled.emitted)
    byTp.push_back(&program);
  const auto begin = std::chrono::steady_clock::now();
  llvm::Expected<Certificate> certificate = certify(compiled.graph, byTp, certifyOptions(options.step, compiled));
  compiled.certifySeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!certificate)
    return llvm::joinErrors(certificate.takeError(),
                            problem("certificate", "the plan that was made is not proven to compute the model's graph",
                                    "report this as a bug, with the model; --no-verify writes the plan as it is"));
  compiled.certificate = *certificate;
  return llvm::Error::success();
}

/// The global graph with gradients, of a model as it was imported; bound to `microBatch`.
static llvm::Expected<CompiledModel> makeGraph(const CompileOptions &options, ImportedModel imported,
                                               int64_t microBatch) {
  if (imported.updates)
    if (llvm::Error error = checkNothingIsSaidTwice(imported, options)) return std::move(error);
  CompiledModel compiled;
  State state{options, imported, compiled, microBatch};
  if (llvm::Error error = runPipeline(imported.graph, state)) return std::move(error);
  compiled.sha256 = imported.sha256;
  compiled.moduleNames = std::move(imported.moduleNames);
  compiled.notes = std::move(imported.notes);
  compiled.graph = std::move(imported.graph);
  compiled.hasOwnOptimizer = imported.updates.has_value();
  compiled.hasOwnBackward = imported.hasGradients;
  compiled.updates =
      imported.updates ? std::move(*imported.updates) : updatesOf(options.step.optimizer, compiled.graph);
  return compiled;
}

/// A batch of 1 has no axis, and sums over it are told from others by the outermost dimension. Where a loss of several
/// micro-batches has such sums, the graph of a batch of 2 is made smaller, if it can be.
static llvm::Expected<CompiledModel> importAndMakeGraph(const CompileOptions &options) {
  llvm::Expected<ImportedModel> imported = importModel(options.model, options.import);
  if (!imported) return imported.takeError();
  const int64_t microBatch = options.import.microBatch,
                microBatches = int64_t(options.step.dp) * options.step.gradAccum;
  if (imported->isBatchDynamic && microBatch <= 1 && microBatches > 1 && !imported->hasGradients &&
      !isOneMean(imported->graph, options.loss)) {
    ImportOptions larger = options.import;
    larger.microBatch = 2;
    llvm::Expected<ImportedModel> two = importModel(options.model, larger);
    llvm::Expected<CompiledModel> made =
        two ? makeGraph(options, std::move(*two), 1) : llvm::Expected<CompiledModel>(two.takeError());
    if (made) return made;
    llvm::Expected<CompiledModel> ofOne = makeGraph(options, std::move(*imported), microBatch);
    if (!ofOne) return llvm::joinErrors(ofOne.takeError(), made.takeError());
    llvm::consumeError(made.takeError()); // it was not needed
    return ofOne;
  }
  return makeGraph(options, std::move(*imported), microBatch);
}

llvm::Expected<CompiledModel> compile(const CompileOptions &options) {
  llvm::Expected<CompiledModel> compiled = importAndMakeGraph(options);
  if (!compiled) return compiled;
  bool stopsEarlier = !options.stopAfter.empty() && !llvm::is_contained(kShardingPasses, options.stopAfter);
  if (!stopsEarlier)
    if (llvm::Error error = partitionAll(*compiled, options)) return std::move(error);
  if (options.verify && !compiled->emitted.empty())
    if (llvm::Error error = certifyAll(*compiled, options)) return std::move(error);
  return compiled;
}

} // namespace autotp

#include "passes/stages.h"

#include "compiler/onnx/locate_initializers.h"
#include "compiler/sharding/batch_axis.h"
#include "compiler/sharding/find_axes.h"
#include "passes/check_options.h"
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/import/match_own_weights.h"
#include "passes/import/parameter_names.h"
#include "passes/import/retie_weights.h"
#include "passes/partition/bind_batch.h"
#include "passes/partition/localise.h"
#include "passes/pass.h"
#include "passes/pipeline.h"
#include "passes/shard/place_reductions.h"
#include "passes/shard/sequence_region.h"
#include "passes/train/bind_gradients.h"
#include "passes/train/differentiate.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/checkpoint/stored_weights.h"

namespace autotp {
namespace {

/// Whether a batch of one sample would hide the axis over which the loss is summed.
bool needsTwoSamples(const ImportedModel &imported, const CompileOptions &options) {
  const int64_t microBatches = int64_t(options.step.dp) * options.step.gradAccum;
  return imported.isBatchDynamic && options.import.microBatch <= 1 && microBatches > 1 && !imported.hasGradients &&
         !isOneMean(imported.graph, options.loss);
}

} // namespace

llvm::Error importStage(PassState &s) {
  ImportOptions options = s.options.import;
  llvm::Expected<ImportedModel> imported = importModel(s.options.model, options);
  if (!imported) return imported.takeError();
  s.microBatch = options.microBatch;
  if (s.mayTakeTwo && needsTwoSamples(*imported, s.options)) {
    options.microBatch = 2;
    llvm::Expected<ImportedModel> two = importModel(s.options.model, options);
    s.tookTwo = true;
    if (!two) return two.takeError();
    imported = std::move(two);
    s.microBatch = 1;
  }
  if (imported->updates)
    if (llvm::Error error = checkNothingIsSaidTwice(*imported, s.options)) return error;
  s.imported = std::move(*imported);
  s.compiled.graph = std::move(s.imported.graph);
  s.compiled.source = {s.imported.digest,           std::move(s.imported.moduleNames),
                       std::move(s.imported.notes), s.imported.updates.has_value(),
                       s.imported.hasGradients,     false};
  return llvm::Error::success();
}

llvm::Error classifyStage(Graph &graph, PassState &s) {
  const OptimizerOptions &optimizer = s.options.step.optimizer;
  if (!s.imported.updates)
    return classifyParameters(graph, s.imported.initializers,
                              {s.options.parameters, s.compiled.source.moduleNames, s.exporter,
                               s.imported.exporter.exporter, s.imported.untrained,
                               s.options.retie ? llvm::ArrayRef<Tie>(s.ties) : llvm::ArrayRef<Tie>(),
                               optimizer.decaysAll && optimizer.weightDecay != 0, !s.options.weights.path.empty()},
                              s.compiled.evidence.initializers);
  return takeParameters(
      graph, s.imported.initializers,
      [&](const std::string &name) { return s.imported.updates->parameters.count(name) != 0; },
      s.compiled.evidence.initializers);
}

llvm::Error fillFrozenStage(Graph &graph, PassState &s) {
  const WeightsOptions &weights = s.options.weights;
  if (weights.path.empty()) return llvm::Error::success();
  std::set<std::string> frozen;
  for (const ClassifiedInitializer &initializer : s.compiled.evidence.initializers)
    if (initializer.isFrozen) frozen.insert(initializer.name);
  if (!weights.stored && frozen.empty()) return llvm::Error::success();
  s.stored = weights.stored;
  if (!s.stored) {
    auto opened = StoredWeights::open("--weights", weights.path);
    if (!opened) return opened.takeError();
    s.stored = std::move(*opened);
  }
  const WeightFilling::Said said{weights.layout, weights.ignored};
  s.filling = std::make_unique<WeightFilling>(graph, s.imported.initializers, *s.stored, said, s.origins);
  return s.filling->fillFrozen(graph, s.imported.initializers, frozen);
}

llvm::Error bindBatchStage(Graph &graph, PassState &s) {
  const StepOptions &step = s.options.step;
  llvm::Expected<LossTerms> terms =
      bindBatch(graph, s.microBatch, int64_t(step.dp) * step.gradAccum, s.imported.withoutBatch);
  if (!terms) return terms.takeError();
  s.compiled.training.lossTerms = std::move(*terms);
  return llvm::Error::success();
}

llvm::Error retieStage(Graph &graph, PassState &s) {
  const ParameterOverrides &given = s.options.parameters;
  RetieOptions options;
  if (s.options.retie && !s.imported.updates) {
    auto ties = tiesOfList(graph, given.ties, s.compiled.source.moduleNames);
    if (!ties) return ties.takeError();
    options.said = std::move(*ties);
    llvm::append_range(options.said, s.ties);
    const Exporter exporter = s.imported.exporter.exporter;
    options.byContents = s.options.weights.areGiven && exporter != Exporter::Dynamo;
    const bool isSaid = given.isListed || !given.train.empty() || !given.only.empty();
    options.doubtsEqual = exporter == Exporter::Unknown && !isSaid && !given.assumesRoles;
    s.compiled.evidence.unknownNames = namesOfNone(graph, given.listed, s.compiled.source.moduleNames);
  }
  return retieWeights(graph, options, s.compiled.evidence.retied, s.compiled.evidence.equalWeights);
}

/// The model's own files as those that fill its parameters.
static llvm::Error matchOwnWeights(const Graph &graph, llvm::StringRef model, FilledWeights &filled) {
  auto located = locateInitializers(model);
  if (!located) return located.takeError();
  auto stored = StoredWeights::openLocated(*located);
  if (!stored) return stored.takeError();
  auto found = matchOwn(graph, **stored);
  if (!found) return found.takeError();
  filled.stored = std::move(*stored);
  filled.byParameter = std::move(*found);
  return llvm::Error::success();
}

static bool isLarge(const Graph &graph, const WeightsOptions &options) {
  int64_t elements = 0;
  for (const ParameterInfo &parameter : graph.parameters)
    elements += graph.type(parameter.value).elements();
  return elements * int64_t(sizeof(float)) > options.mostCopiedBytes;
}

llvm::Error matchWeightsStage(Graph &graph, PassState &s) {
  const WeightsOptions &options = s.options.weights;
  FilledWeights &filled = s.compiled.weights;
  const bool refers = options.areGiven && (options.held == WeightsHeld::Referenced ||
                                           (options.held == WeightsHeld::BySize && isLarge(graph, options)));
  if (options.stored && s.filling) {
    auto found = s.filling->finish(graph, /*mayShare=*/!s.options.retie);
    if (!found) return found.takeError();
    filled = {options.stored, std::move(*found), s.filling->passedOver(), s.filling->assumed(), s.filling->prefix()};
  } else if (refers) {
    if (llvm::Error error = matchOwnWeights(graph, s.options.model, filled)) {
      if (options.held == WeightsHeld::Referenced) return error;
      llvm::consumeError(std::move(error));
      filled.whyCopied = "the model's files do not hold all of them as the graph has them, see --weights reference";
      return llvm::Error::success();
    }
  }
  filled.areReferenced = refers;
  if (!refers) return llvm::Error::success();
  auto digests = filled.stored->digestsOfFiles();
  if (!digests) return digests.takeError();
  filled.digests = std::move(*digests);
  return llvm::Error::success();
}

llvm::Error inputRolesStage(Graph &graph, PassState &s) {
  llvm::Expected<std::vector<InputRole>> roles = inputRoles(graph, s.options.inputRoles);
  if (!roles) return roles.takeError();
  // Which inputs have a row for each sample, and which values each element may have.
  const Batch batch = findBatch(graph, findAxes(graph, Cuts::Dimensions), s.imported.withoutBatch);
  for (auto [i, input] : indexed(graph.sources(ValueKind::Input))) {
    InputRole &role = (*roles)[i];
    role.isBatched = batch.isBatched[i];
    role.bounds = inputBounds(graph, input, role.isBatched ? batch.size : 1);
  }
  s.compiled.training.inputs = std::move(*roles);
  s.compiled.training.microBatch = batch.size;
  return llvm::Error::success();
}

llvm::Error differentiateStage(Graph &graph, PassState &s) {
  TrainingFacts &training = s.compiled.training;
  llvm::Expected<Objective> objective =
      s.imported.hasGradients ? bindGradients(graph) : differentiate(graph, training.dtype == DType::F16);
  if (!objective) return objective.takeError();
  training.objective = *objective;
  training.updates = s.imported.updates ? *s.imported.updates : updatesOf(s.options.step.optimizer, graph);
  return llvm::Error::success();
}

llvm::Error chooseAxesStage(PassState &s) {
  CompiledModel &c = s.compiled;
  auto rules = resolveRules(c.graph, c.placement.axes, s.options.rules, c.source.moduleNames);
  if (!rules) return rules.takeError();
  auto chosen = chooseAxes(c.graph, c.placement.axes, s.options.step.tp, s.options.shard, *rules);
  if (!chosen) return chosen.takeError();
  c.placement.chosen = std::move(*chosen);
  return llvm::Error::success();
}

llvm::Error placeReductionsStage(PassState &s) {
  const Graph &graph = s.compiled.graph;
  TpPlacement &p = s.compiled.placement;
  const int tp = s.options.step.tp;
  if (!s.options.sequenceParallel || tp == 1) {
    p.reductions = placeReductions(graph, p.axes, p.chosen.assignment);
    return llvm::Error::success();
  }
  llvm::SmallVector<ValueId, 2> tokens;
  for (auto [i, input] : indexed(graph.sources(ValueKind::Input)))
    if (s.compiled.training.inputs[i].role == "tokens") tokens.push_back(input);
  auto sequence = sequenceLeaves(p.axes, tokens, tp);
  if (!sequence) return sequence.takeError();
  SequencePlacement placement = placeSequence(graph, p.axes, p.chosen.assignment, *sequence);
  p.reductions = std::move(placement.reductions);
  p.region = std::move(placement.region);
  return llvm::Error::success();
}

llvm::Error localiseStage(PassState &s, unsigned tpRank) {
  const TpPlacement &p = s.compiled.placement;
  PlacedGraph placed{s.compiled.graph, p.axes, p.chosen.assignment, p.reductions, s.options.step.tp};
  if (p.region) placed.region = &*p.region;
  llvm::Expected<LocalProgram> local = localise(placed, int(tpRank));
  if (!local) return local.takeError();
  s.compiled.ranks.locals.push_back(std::move(*local));
  return llvm::Error::success();
}

llvm::Error buildStepsStage(PassState &s, unsigned tpRank) {
  const TrainingFacts &training = s.compiled.training;
  TpRanks &ranks = s.compiled.ranks;
  ranks.programs.push_back(buildSteps(s.compiled.graph, std::move(ranks.locals[tpRank]), training.objective,
                                      training.updates, s.options.step));
  return llvm::Error::success();
}

llvm::Error certifyStage(PassState &s) {
  std::vector<const plan::Program *> byTp;
  for (const plan::Program &program : s.compiled.ranks.emitted)
    byTp.push_back(&program);
  llvm::Expected<Certificate> certificate = certify(s.compiled.graph, byTp, certifyOptions(s.options.step, s.compiled));
  if (!certificate)
    return llvm::joinErrors(certificate.takeError(),
                            problem("certificate", "the plan that was made is not proven to compute the model's graph",
                                    "report this as a bug, with the model; --no-verify writes the plan as it is"));
  s.compiled.certificate = *certificate;
  return llvm::Error::success();
}

} // namespace autotp

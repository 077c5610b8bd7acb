#include "passes/plan_source.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

constexpr llvm::StringLiteral kLosses[] = {"none", "cross-entropy", "next-token"}; // by LossMade

template <typename Map> llvm::json::Object objectOf(const Map &map) {
  llvm::json::Object object;
  for (const auto &row : map)
    object[row.getKey()] = row.getValue();
  return object;
}

/// What --parameters says, as lines of a list of names: "a", or "a = b" for a tie.
llvm::json::Value listOf(const ParameterOverrides &parameters) {
  if (!parameters.isListed) return nullptr;
  llvm::json::Array lines(parameters.listed);
  for (const Tie &tie : parameters.ties)
    lines.push_back(tie.copy + " = " + tie.of);
  return lines;
}

void readList(const llvm::json::Array *lines, ParameterOverrides &parameters) {
  parameters.isListed = lines != nullptr;
  if (!lines) return;
  for (const llvm::json::Value &line : *lines)
    addListed(line.getAsString().getValueOr(""), parameters);
}

} // namespace

llvm::json::Object sourceOf(const CompileOptions &o, llvm::StringRef sha256) {
  const OptimizerOptions &update = o.step.optimizer;
  llvm::json::Object source{{"model", o.model},
                            {"sha256", sha256.str()},
                            {"micro_batch", o.import.microBatch},
                            {"shapes", objectOf(o.import.shapes)},
                            {"inputs", objectOf(o.inputRoles)},
                            {"train", o.parameters.train},
                            {"freeze", o.parameters.freeze},
                            {"only", o.parameters.only},
                            {"parameters", listOf(o.parameters)},
                            {"assume", o.parameters.assumesRoles ? "roles" : ""},
                            {"retie", o.retie},
                            {"ties_by_contents", o.tiesByContents},
                            {"recognise", o.recognise},
                            {"loss_output", o.loss.output},
                            {"loss", kLosses[size_t(o.loss.made)]},
                            {"logits", o.loss.logits},
                            {"dtype", o.dtype ? nameOf(*o.dtype).str() : ""},
                            {"loss_scale", o.step.lossScale.initial},
                            {"loss_scale_window", o.step.lossScale.window},
                            {"optimizer", nameOf(update.kind).str()},
                            {"momentum", update.momentum},
                            {"dampening", update.dampening},
                            {"nesterov", update.isNesterov},
                            {"lr_decay", update.lrDecay},
                            {"initial_accumulator", update.initialAccumulator},
                            {"beta1", update.beta1},
                            {"beta2", update.beta2},
                            {"eps", update.epsilon},
                            {"weight_decay", update.weightDecay},
                            {"clip_grad_norm", update.clipGradNorm},
                            {"decays_all", update.decaysAll}};
  llvm::json::Array skipped; // those that change the global graph
  for (const Pass &pass : allPasses())
    if (pass.isOnGraph() && o.skipped.count(pass.name.str())) skipped.push_back(pass.name);
  if (!skipped.empty()) source["skip_passes"] = std::move(skipped);
  return source;
}

llvm::Expected<CompileOptions> optionsOf(const Manifest &manifest, llvm::StringRef model) {
  const llvm::json::Object &s = manifest.source;
  const llvm::json::Object *shapes = s.getObject("shapes"), *inputs = s.getObject("inputs");
  if (!s.getString("model") || !shapes || !inputs)
    return problem("manifest.json", "it does not say what the plan was made from", "compile the plan again");
  auto text = [&](llvm::StringRef key) { return s.getString(key).getValueOr("").str(); };
  auto real = [&](llvm::StringRef key) { return s.getNumber(key).getValueOr(0); };
  CompileOptions o;
  o.model = model.empty() ? text("model") : model.str();
  o.import.microBatch = s.getInteger("micro_batch").getValueOr(0);
  for (const auto &[name, size] : *shapes)
    o.import.shapes[name] = size.getAsInteger().getValueOr(0);
  for (const auto &[name, role] : *inputs)
    o.inputRoles[name] = role.getAsString().getValueOr("").str();
  o.parameters.train = text("train");
  o.parameters.freeze = text("freeze");
  o.parameters.only = text("only");
  o.parameters.assumesRoles = text("assume") == "roles";
  readList(s.getArray("parameters"), o.parameters);
  o.retie = s.getBoolean("retie").getValueOr(true);
  o.tiesByContents = s.getBoolean("ties_by_contents").getValueOr(true);
  o.recognise = s.getBoolean("recognise").getValueOr(true);
  if (const llvm::json::Array *skipped = s.getArray("skip_passes"))
    for (const llvm::json::Value &name : *skipped)
      o.skipped.insert(name.getAsString().getValueOr("").str());
  o.loss.output = text("loss_output");
  o.loss.logits = text("logits");
  o.dtype = dtypeNamed(text("dtype"));
  for (size_t made = 0; made < std::size(kLosses); ++made)
    if (text("loss") == kLosses[made]) o.loss.made = LossMade(made);
  o.step.tp = int(manifest.tp);
  o.step.dp = int(manifest.dp);
  o.step.zero = int(manifest.zero);
  o.step.gradAccum = int(manifest.gradAccum);
  o.step.lossScale = {real("loss_scale"), s.getInteger("loss_scale_window").getValueOr(0)};
  o.step.optimizer = {manifest.lr,
                      real("beta1"),
                      real("beta2"),
                      real("eps"),
                      real("weight_decay"),
                      real("clip_grad_norm"),
                      s.getBoolean("decays_all").getValueOr(false),
                      optimizerNamed(text("optimizer")).value_or(OptimizerKind::AdamW),
                      real("momentum"),
                      real("dampening"),
                      real("lr_decay"),
                      real("initial_accumulator"),
                      s.getBoolean("nesterov").getValueOr(false)};
  o.look.stopAfter = lastGraphPass();
  return o;
}

llvm::Expected<Certificate> certifyPlan(const Manifest &manifest, llvm::ArrayRef<plan::Program> programs,
                                        llvm::StringRef model) {
  llvm::Expected<CompileOptions> options = optionsOf(manifest, model);
  if (!options) return options.takeError();
  llvm::Expected<CompiledModel> compiled = compile(*options);
  if (!compiled) return compiled.takeError();
  if (manifest.source.getString("sha256") != llvm::StringRef(compiled->source.sha256))
    return problem(options->model, "it is not the model that the plan was made from", "name that one with --model");
  std::vector<const plan::Program *> byTp;
  for (int64_t c = 0; c < manifest.tp; ++c)
    byTp.push_back(&programs[size_t(manifest.ranks[size_t(c)].program)]);
  return certify(compiled->graph, byTp, certifyOptions(options->step, *compiled));
}

} // namespace autotp

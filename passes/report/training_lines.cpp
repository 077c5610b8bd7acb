#include "passes/report/training_lines.h"

#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/options/option_values.h"

namespace autotp {
namespace {

constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> kWords[] = {
    {"decay_before", "decoupled weight decay"}, {"epsilon", "eps"}, {"l2", "weight decay"}, {"rate_decay", "lr decay"}};

/// Text such as ": beta1 0.9, beta2 0.95, eps 1e-08, decoupled weight decay 0.1"; numbers that change nothing are left out.
std::string numbersText(const UpdateRule &rule) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::StringRef separator = ": ";
  for (const auto &[name, value] : rule.attributes.all()) {
    const double *number = std::get_if<double>(&value);
    if (!number || *number == 0) continue;
    const auto *word = llvm::find_if(kWords, [&name = name](const auto &pair) { return pair.first == name; });
    os << separator << (word == std::end(kWords) ? llvm::StringRef(name) : llvm::StringRef(word->second)) << " "
       << numberText(*number);
    separator = ", ";
  }
  return os.str();
}

bool hasDecay(const UpdateRule &rule) {
  return llvm::any_of(rule.attributes.all(), [](const auto &attribute) {
    const double *number = std::get_if<double>(&attribute.second);
    return number && *number != 0 && (attribute.first == "decay_before" || attribute.first == "l2");
  });
}

void printOptimizer(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os) {
  const Updates &updates = compiled.training.updates;
  const bool isOwn = compiled.source.hasOwnOptimizer;
  os << "optimizer   " << (isOwn ? "the model's own: " : "");
  for (auto [i, rule] : indexed(updates.rules))
    os << (i ? "; " : "") << (isOwn ? rule.op : nameOf(options.step.optimizer.kind).str()) << numbersText(rule);
  if (updates.clipGradNorm > 0) os << "; gradients clipped to a norm of " << numberText(updates.clipGradNorm);
  os << "\n";
}

/// Names those that do not decay where others do.
void printDecay(const CompiledModel &compiled, llvm::raw_ostream &os) {
  const Updates &updates = compiled.training.updates;
  if (llvm::none_of(updates.rules, hasDecay)) return;
  std::vector<std::string> without;
  size_t decaying = 0;
  for (const ParameterInfo &info : compiled.graph.parameters) {
    const std::string &name = compiled.graph.value(info.value).name;
    if (updates.parameters.lookup(name).decays && hasDecay(updates.ruleOf(name)))
      ++decaying;
    else
      without.push_back(name);
  }
  os << "decay       of " << decaying << " parameters";
  if (!without.empty()) os << ", not of " << escaped(without[0]);
  if (without.size() > 1) os << " and " << without.size() - 1 << " more";
  os << "\n";
}

void printBatch(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os) {
  const StepOptions &s = options.step;
  const Graph &g = compiled.graph;
  const int64_t microBatch = compiled.training.microBatch;
  int64_t tokens = 0; // an encoder and a decoder have some each
  for (ValueId input : g.sources(ValueKind::Input))
    for (const InputRole &role : compiled.training.inputs)
      if (role.role == "tokens" && role.name == g.value(input).name) tokens += g.type(input).elements();
  const int64_t microBatches = int64_t(s.dp) * s.gradAccum;
  os << "batch       " << microBatch << " x dp " << s.dp << " x grad-accum " << s.gradAccum << " = "
     << microBatch * microBatches << " samples a step";
  if (tokens > 0) os << ", " << tokens * microBatches << " tokens";
  os << "\n";
}

} // namespace

void printTraining(const CompiledModel &compiled, const CompileOptions &options, llvm::raw_ostream &os) {
  printOptimizer(compiled, options, os);
  printDecay(compiled, os);
  if (!compiled.training.updates.hasOwnRate()) os << "lr          " << textOf(options.step.optimizer.lr) << "\n";
  printBatch(compiled, options, os);
}

} // namespace autotp

#include "passes/options/read_options.h"

#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/config.h"
#include "passes/options/option_files.h"
#include "passes/options/option_rows.h"
#include "runtime/base/error.h"
#include "runtime/checkpoint/stored_weights.h"
#include "runtime/options/option_values.h"

namespace autotp {
namespace {

/// Gathers what is wrong.
class Problems {
public:
  void add(llvm::Error error) { errors_ = llvm::joinErrors(std::move(errors_), std::move(error)); }
  llvm::Error take() { return std::move(errors_); }

private:
  llvm::Error errors_ = llvm::Error::success();
};

const SaidOption *findSaid(const CompileOptions &options, llvm::StringRef flag, SaidBy by) {
  for (const SaidOption &said : options.said)
    if (said.option->flag == flag && said.by == by) return &said;
  return nullptr;
}

llvm::Error checkPassName(const GivenFlag &given, const KnownPasses &passes) {
  const PassNames which = compileRow(*given.option).passes;
  if (which == PassNames::None || (which == PassNames::EveryOrAll && given.text == "all"))
    return llvm::Error::success();
  const bool isOptional = which == PassNames::Optional;
  const std::vector<std::string> &known = isOptional ? passes.optional : passes.every;
  if (llvm::is_contained(known, given.text)) return llvm::Error::success();
  return problem(flagText(*given.option),
                 std::string("there is no pass ") + (isOptional ? "that may be left out, " : "") + "'" +
                     escaped(given.text) + "'",
                 "there are: " + llvm::join(known, ", "));
}

llvm::Error readFlag(const GivenFlag &given, const KnownPasses &passes, CompileOptions &options) {
  const CompileRow &row = compileRow(*given.option);
  llvm::Expected<OptionValue> value = valueOf(given);
  options.said.push_back({&row, SaidBy::CommandLine, flagText(row), value ? *value : OptionValue()});
  if (!value) return value.takeError();
  row.member.set(options, *value);
  return checkPassName(given, passes);
}

/// What flags say together.
llvm::Error checkFlags(const CompileOptions &options) {
  Problems problems;
  auto isSaid = [&](llvm::StringRef flag) { return findSaid(options, flag, SaidBy::CommandLine) != nullptr; };
  if (!isSaid("o") && !isSaid("stop-after"))
    problems.add(problem("-o", "the plan needs a folder", "give one with -o DIR"));
  if (isSaid("only") && (isSaid("train") || isSaid("freeze")))
    problems.add(problem("--only", "it says all of what is trained, so --train and --freeze have nothing to add",
                         "leave them out, or use them without --only"));
  if (isSaid("logits") && !isSaid("loss")) problems.add(problem("--logits", "it needs --loss"));
  if (isSaid("loss-output") && isSaid("loss"))
    problems.add(problem("--loss", "a loss is made, so --loss-output names none", "leave one of them out"));
  for (const char *flag : {"weights-layout", "weights-ignore"})
    if (isSaid(flag) && options.weights.path.empty())
      problems.add(problem(std::string("--") + flag, "there are no files of weights",
                           "name them with --weights PATH, or leave it out"));
  return problems.take();
}

/// Flags overrule what the configuration has set.
void setFlagsAgain(CompileOptions &options) {
  const bool isConfigured = findSaid(options, "optimizer", SaidBy::DeepSpeedConfig);
  for (const SaidOption &said : options.said) {
    const bool isItsOptimizer = said.option->flag == "optimizer" && isConfigured; // checkOptimizer() compares the two
    if (said.by == SaidBy::CommandLine && !isItsOptimizer) said.option->member.set(options, said.value);
  }
}

} // namespace

llvm::Error readFlags(llvm::ArrayRef<GivenFlag> flags, const KnownPasses &passes, CompileOptions &options) {
  Problems problems;
  for (const GivenFlag &given : flags)
    if (!given.saysNothing()) problems.add(readFlag(given, passes, options));
  problems.add(checkFlags(options));
  return problems.take();
}

llvm::Error readWords(llvm::StringRef text, CompileOptions &options) {
  Problems problems;
  llvm::SmallVector<llvm::StringRef, 4> words;
  text.split(words, ' ', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef word : words) {
    auto [name, value] = word.split('=');
    const CompileRow *row = findOption(name);
    const bool isSwitchedOn = row && row->kind() == OptionKind::Switch && value.empty();
    if (!row || row->flag.empty())
      problems.add(problem("options", "none is called '" + escaped(name) + "'", "see autotp-compile --help"));
    else
      problems.add(setFlags(GivenFlag{row, isSwitchedOn ? "true" : value.str()}, options));
  }
  return problems.take();
}

llvm::Error readOptionFiles(CompileOptions &options) {
  const NamedFiles &files = options.files;
  if (!files.deepSpeedConfig.empty()) {
    if (llvm::Error error = readDeepSpeedConfig(files.deepSpeedConfig, options)) return error;
    setFlagsAgain(options);
  }
  if (WeightsOptions &weights = options.weights; !weights.path.empty()) {
    auto opened = StoredWeights::open("--weights", weights.path);
    if (!opened) return opened.takeError();
    weights.stored = std::move(*opened);
  }
  if (!files.parameters.empty())
    if (llvm::Error error = readParameterList(files.parameters, options.parameters)) return error;
  return files.patterns.empty() ? llvm::Error::success() : readPatterns(files.patterns, options.rules);
}

llvm::Error checkOptimizer(const CompileOptions &options) {
  const OptimizerOptions &optimizer = options.step.optimizer;
  const SaidOption *flag = findSaid(options, "optimizer", SaidBy::CommandLine),
                   *configured = findSaid(options, "optimizer", SaidBy::DeepSpeedConfig);
  if (flag && configured && flag->value != configured->value)
    return problem("--optimizer", ("the configuration's optimizer is " + nameOf(optimizer.kind)).str(),
                   "name it in one of the two only");
  Problems problems;
  for (const SaidOption &said : options.said)
    if (said.by == SaidBy::CommandLine && said.option->is(kOfOptimizer) &&
        !hasOption(optimizer.kind, said.option->flag))
      problems.add(problem(said.where, (nameOf(optimizer.kind) + " has no such option").str(),
                           "leave it out, or name another --optimizer"));
  if (llvm::Error error = problems.take()) return error;
  return checkOptions(optimizer);
}

} // namespace autotp

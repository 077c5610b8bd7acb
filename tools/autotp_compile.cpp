// autotp-compile: from an ONNX model to a plan for tp * dp ranks. Its options are the rows of passes/options.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/options/option_rows.h"
#include "passes/options/read_options.h"
#include "passes/pipeline.h"
#include "passes/report/plan_contents.h"
#include "passes/report/summary.h"
#include "passes/report/why.h"
#include "runtime/base/output_file.h"
#include "runtime/checkpoint/stored_weights.h"
#include "tools/command_line.h"
#include "tools/look_into.h"
#include "tools/option_flags.h"

using namespace llvm;
using namespace autotp;

static Error write(const CompiledModel &compiled, Manifest manifest, OutputFolder &folder) {
  if (Error error = writePlan(planContents(compiled, std::move(manifest)), folder)) return error;
  if (Error error = flushed(outs(), "standard output")) return error; // then there is no plan
  Expected<std::string> movedTo = folder.commit();
  if (!movedTo) return movedTo.takeError();
  outs() << "plan        " << folder.path() << "\n";
  if (!movedTo->empty()) outs() << "moved       what stood there is now " << *movedTo << "\n";
  return Error::success();
}

/// The summary, and where the plan lies.
static Error finish(CompiledModel &compiled, const CompileOptions &options, OutputFolder &folder) {
  Manifest manifest = describe(compiled, options);
  printSummary(compiled, options, outs());
  if (compiled.certificate)
    outs() << formatv("certificate {0} instructions of {1} programs proven, {2:f2} s\n",
                      compiled.certificate->instructions, compiled.certificate->programs,
                      compiled.times.back().seconds);
  return write(compiled, std::move(manifest), folder);
}

static Expected<std::unique_ptr<OutputFolder>> openPlan(const CompileOptions &options) {
  if (!options.look.stopAfter.empty()) return nullptr; // there will be none
  const NamedFiles &files = options.files;
  OutputFolder::Options folder;
  folder.force = files.movesAside;
  folder.inputs = {options.model, files.deepSpeedConfig, files.patterns, files.parameters};
  if (options.weights.stored) append_range(folder.inputs, options.weights.stored->paths());
  return OutputFolder::open(files.plan, std::move(folder));
}

static Error run(CompileOptions &options) {
  auto plan = openPlan(options);
  if (!plan) return plan.takeError();
  auto dump = openDump(options);
  if (!dump) return dump.takeError();
  options.look.printTo = &outs();
  Expected<CompiledModel> compiled = compile(options);
  Error dumped = commitDump(dump->get(), options.files.dump, outs());
  if (!compiled) return joinErrors(compiled.takeError(), std::move(dumped));
  if (dumped) return dumped;
  if (options.look.explainsParameters) explainParameters(*compiled, outs());
  for (const std::string &name : options.look.why)
    if (Error error = explainValue(*compiled, name, outs())) return error;
  if (options.look.showsTimes) printTimes(compiled->times, outs());
  return *plan ? finish(*compiled, options, **plan) : Error::success();
}

int main(int argc, char **argv) {
  const OptionFlags flags(optionSections());
  if (!parseCommandLine(argc, argv, flags.categories(),
                        "Shards an ONNX training graph over tp * dp ranks and writes a plan for each. ARTIFACTS is a "
                        "folder that onnxruntime-training's generate_artifacts wrote.\n"))
    return 2;
  CompileOptions options;
  if (exitCode(readFlags(flags.given(), {passNames(), optionalPassNames()}, options)) != 0) return 2;
  Error read = readOptionFiles(options);
  for (const std::string &note : options.notes)
    outs() << "ds-config   " << note << "\n";
  if (exitCode(std::move(read)) != 0) return 1;
  if (exitCode(checkOptimizer(options)) != 0) return 2;
  return exitCode(run(options));
}

#include "passes/plan_source.h"

#include "passes/compiled_model.h"
#include "passes/options/compile_row.h"
#include "passes/options/option_rows.h"
#include "passes/options/recorded_values.h"
#include "passes/pass.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"

namespace autotp {

llvm::json::Object sourceOf(const CompileOptions &options, llvm::StringRef digest) {
  CompileOptions ofGraph = options;
  for (const Pass &pass : allPasses()) // a plan holds what the others made of the graph
    if (!pass.isOnGraph()) ofGraph.skipped.erase(pass.name.str());
  llvm::json::Object source{{"digest", digest.str()}};
  for (const CompileRow *row : optionRows())
    if (std::optional<llvm::json::Value> value = recordedValue(*row, ofGraph)) source[row->key] = std::move(*value);
  return source;
}

llvm::Expected<CompileOptions> optionsOf(const Manifest &manifest, llvm::StringRef model) {
  CompileOptions options;
  llvm::Error errors = llvm::Error::success();
  for (const CompileRow *row : optionRows()) {
    if (const llvm::json::Value *value = row->key.empty() ? nullptr : manifest.source.get(row->key))
      errors = llvm::joinErrors(std::move(errors), restoreValue(*row, *value, options));
    errors = llvm::joinErrors(std::move(errors), readField(*row, manifest, options));
  }
  if (errors) return errors;
  if (options.model.empty())
    return problem("manifest.json", "it does not say what the plan was made from", "compile the plan again");
  if (!model.empty()) options.model = model.str();
  options.weights.held = WeightsHeld::Copied; // nothing is written, so nothing need be found in files
  options.look.stopAfter = lastGraphPass();
  return options;
}

llvm::Expected<Certificate> certifyPlan(const Manifest &manifest, llvm::ArrayRef<plan::Program> programs,
                                        llvm::StringRef model) {
  llvm::Expected<CompileOptions> options = optionsOf(manifest, model);
  if (!options) return options.takeError();
  llvm::Expected<CompiledModel> compiled = compile(*options);
  if (!compiled) return compiled.takeError();
  if (manifest.source.getString("digest") != llvm::StringRef(compiled->source.digest))
    return problem(options->model, "it is not the model that the plan was made from", "name that one with --model");
  std::vector<const plan::Program *> byTp;
  for (int64_t c = 0; c < manifest.tp; ++c)
    byTp.push_back(&programs[size_t(manifest.ranks[size_t(c)].program)]);
  return certify(compiled->graph, byTp, certifyOptions(options->step, *compiled));
}

} // namespace autotp

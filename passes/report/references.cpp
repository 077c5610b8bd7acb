#include "passes/report/references.h"

#include "passes/compiled_model.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace autotp {
namespace {

/// From wherever the plan is run, files are found where they are now.
std::string absolute(llvm::StringRef path) {
  llvm::SmallString<256> made(path);
  if (llvm::sys::fs::make_absolute(made)) return path.str();
  llvm::sys::path::remove_dots(made);
  return made.str().str();
}

} // namespace

ReferencedFiles referencesTo(const CompiledModel &compiled) {
  ReferencedFiles referenced;
  for (const auto &[path, digest] : compiled.weights.digests)
    referenced.files.push_back({absolute(path), digest});
  if (compiled.weights.stored->isCheckpoint()) referenced.checkpoint = absolute(compiled.weights.stored->path());
  for (const ParameterInfo &parameter : compiled.graph.parameters) {
    const std::string &name = compiled.graph.value(parameter.value).name;
    const WeightMatch &match = compiled.weights.byParameter.find(name)->second;
    referenced.parameters.push_back({name, *match.tensor, match.isTransposed});
    referenced.parameters.back().tensor.file = absolute(match.tensor->file);
  }
  return referenced;
}

} // namespace autotp

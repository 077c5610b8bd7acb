#include "passes/report/plan_contents.h"

#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/import/read_weights.h"

namespace autotp {

PlanContents planContents(const CompiledModel &compiled, const CompileOptions &options, Manifest manifest) {
  PlanContents contents{compiled.graph, compiled.ranks.programs, compiled.ranks.emitted, std::move(manifest)};
  if (const std::shared_ptr<const StoredWeights> stored = options.weights.stored)
    contents.readPart = [&compiled, stored](const Value &parameter, const Covers &covers) {
      return readPart(*stored, compiled.weights.byParameter.find(parameter.name)->second, covers);
    };
  return contents;
}

} // namespace autotp

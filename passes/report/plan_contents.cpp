#include "passes/report/plan_contents.h"

#include "passes/compiled_model.h"
#include "passes/import/read_weights.h"

namespace autotp {

PlanContents planContents(const CompiledModel &compiled, Manifest manifest) {
  PlanContents contents{compiled.graph, compiled.ranks.programs, compiled.ranks.emitted, std::move(manifest)};
  if (compiled.weights.stored)
    contents.readPart = [&compiled](const Value &parameter, const Covers &covers) {
      return readPart(*compiled.weights.stored, compiled.weights.byParameter.find(parameter.name)->second, covers);
    };
  return contents;
}

} // namespace autotp

#include "passes/import/check_losses.h"

#include "compiler/ir/graph.h"
#include "runtime/base/error.h"

#include <set>

namespace autotp {

llvm::Error checkLosses(const Graph &graph, const ExporterFacts &facts) {
  constexpr size_t kLabelSmoothing = 5;
  llvm::Error errors = llvm::Error::success();
  std::set<const ProgramCall *> seen; // several nodes may belong to one call
  for (NodeId id = graph.first(); id != kNone; id = graph.node(id).next) {
    const ProgramCall *call = facts.callOf(id);
    double smoothing = 0;
    if (!call || call->target != "aten.cross_entropy_loss" || call->arguments.size() <= kLabelSmoothing ||
        llvm::StringRef(call->arguments[kLabelSmoothing]).getAsDouble(smoothing) || smoothing == 0 ||
        !seen.insert(call).second)
      continue;
    errors = llvm::joinErrors(
        std::move(errors),
        problem("node '" + escaped(graph.node(id).origin) + "'",
                llvm::formatv("the exporter left out its label_smoothing of {0}", smoothing).str(),
                "write the smoothing out in the model, by log_softmax: docs/guide/export.md shows how"));
  }
  return errors;
}

} // namespace autotp

#include "passes/check_options.h"

#include "compiler/ir/loss.h"
#include "compiler/onnx/import.h"
#include "passes/options/compile_row.h"
#include "runtime/base/error.h"

namespace autotp {

llvm::Error checkNothingIsSaidTwice(const ImportedModel &model, const CompileOptions &options) {
  llvm::Error errors = llvm::Error::success();
  for (const SaidOption &said : options.said) {
    if (!said.option->is(kOfTrainingGraph) || (said.option->is(kOfRate) && !model.updates->hasOwnRate())) continue;
    errors = llvm::joinErrors(std::move(errors),
                              problem(said.where, "the model brings its own training graph, which says this already",
                                      "leave it out, or give the forward model alone"));
  }
  if (errors) return errors;
  if (model.hasGradients && options.dtype && *options.dtype != DType::F32)
    return problem("--dtype", "the model brings its own backward, which stays in the floats that it is in",
                   "leave it out, or give the forward model alone");
  const int64_t batch = options.import.microBatch;
  auto hasBatch = [&](ValueId input) {
    const Shape &shape = model.graph.type(input).shape;
    return !shape.empty() && shape[0] == batch;
  };
  if (model.hasGradients && batch > 0 && llvm::none_of(model.graph.sources(ValueKind::Input), hasBatch))
    return problem("--micro-batch", "the model brings its own backward, for another batch",
                   "leave it out, or export the model with a dynamic batch");
  return llvm::Error::success();
}

bool isOneMean(const Graph &graph, const LossOptions &loss) {
  if (loss.made != LossMade::None) return true;
  return llvm::any_of(graph.outputs, [&](const Output &output) {
    ValueId value = output.value;
    for (const Node *node = graph.producer(value); node && (node->is("reshape") || node->is("cast"));
         node = graph.producer(value))
      value = node->operands[0];
    return (loss.output.empty() || output.name == loss.output) && crossEntropyMean(graph, value).has_value();
  });
}

} // namespace autotp

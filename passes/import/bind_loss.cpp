#include "passes/import/bind_loss.h"

#include "compiler/ops/op_def.h"
#include "runtime/base/error.h"

namespace autotp {
namespace {

/// The output called `wanted`, or if that is empty the only one that `fits`.
template <typename Fits>
llvm::Expected<Output> chosenOutput(const Graph &graph, const std::string &wanted, llvm::StringRef flag,
                                    llvm::StringRef what, Fits fits) {
  llvm::SmallVector<Output, 2> found;
  for (const Output &output : graph.outputs)
    if (wanted.empty() ? fits(graph.type(output.value)) : output.name == wanted) found.push_back(output);
  if (!wanted.empty() && found.empty()) return problem(flag, "the model has no output '" + escaped(wanted) + "'");
  if (found.size() == 1) return found[0];
  std::string remedy = "name " + what.str() + " with " + flag.str() + " NAME";
  if (found.empty())
    return problem("model", "none of its outputs is " + what.str(),
                   flag == "--loss-output" ? "export the model with its loss, name one with --loss-output, or have one "
                                             "made over its logits with --loss next-token or cross-entropy"
                                           : remedy);
  return problem("model", "several of its outputs may be " + what.str(), remedy);
}

llvm::Expected<ValueId> makeLoss(Graph &graph, const LossOptions &options) {
  auto output = chosenOutput(graph, options.logits, "--logits", "the logits",
                             [](const Type &type) { return isFloat(type.dtype) && type.shape.size() >= 2; });
  if (!output) return output.takeError();
  const Type logits = graph.type(output->value);
  bool isNext = options.made == LossMade::NextToken;
  if (!isFloat(logits.dtype) || logits.shape.size() < 2 ||
      (isNext && (logits.shape.size() != 3 || logits.shape[1] < 2)))
    return problem("--logits", "output '" + escaped(output->name) + "' is " + logits.text() + ", not " +
                                   (isNext ? "[batch, sequence, vocabulary]" : "[.., classes]"));
  for (ValueId input : graph.sources(ValueKind::Input))
    if (graph.value(input).name == "labels")
      return problem("--loss", "the model already has an input 'labels'", "leave --loss out, or rename the input");
  Type type{DType::I64, Shape(logits.shape.begin(), logits.shape.end() - 1)};
  ValueId scores = output->value, labels = graph.addInput("labels", type);
  Builder b(graph);
  b.origin = "loss";
  if (isNext) {
    int64_t length = type.shape[1] - 1;
    scores = b.slice(scores, 1, 0, length);
    labels = b.slice(labels, 1, 1, length);
  }
  int64_t rows = graph.type(labels).elements();
  auto all = b.makeMany("cross_entropy", {b.reshape(scores, {rows, logits.shape.back()}), b.reshape(labels, {rows})},
                        {{"ignore_index", int64_t(-100)}});
  return b.make("div", {all[0], all[1]});
}

llvm::Expected<ValueId> ownLoss(const Graph &graph, const std::string &name) {
  auto isScalar = [](const Type &type) { return type.elements() == 1 && isFloat(type.dtype); };
  auto output = chosenOutput(graph, name, "--loss-output", "a scalar loss", isScalar);
  if (!output) return output.takeError();
  if (isScalar(graph.type(output->value))) return output->value;
  return problem("--loss-output", "'" + escaped(name) + "' is " + graph.type(output->value).text() + ", no scalar");
}

} // namespace

llvm::Error bindLoss(Graph &graph, const LossOptions &options) {
  auto loss = options.made == LossMade::None ? ownLoss(graph, options.output) : makeLoss(graph, options);
  if (!loss) return loss.takeError();
  Builder builder(graph);
  builder.origin = "loss";
  graph.outputs = {{"loss", builder.reshape(*loss, {})}};
  graph.removeDead();
  return llvm::Error::success();
}

} // namespace autotp

// compiler/onnx/network.cpp: normalisation, softmax and losses.
#include "compiler/onnx/formula.h"

#include <algorithm>

namespace autotp {
namespace {

llvm::Error importSoftmax(NodeImport &node) {
  size_t rank = node.type(0).shape.size();
  auto axis = node.axis(node.integer("axis", -1), rank);
  if (!axis) return axis.takeError();
  Formula f(node);
  auto perm = lastSwapped(rank, *axis);
  return f.finish(f.transpose(f("softmax", {f.transpose(node[0], perm)}), perm));
}

/// Normalises over the dimensions from `axis` on, merged into one.
llvm::Error importNorm(NodeImport &node, llvm::StringRef op, bool hasBias) {
  const Type x = node.type(0);
  auto axis = node.axis(node.integer("axis", -1), x.shape.size());
  if (!axis) return axis.takeError();
  const int64_t width = elementsOf(llvm::ArrayRef<int64_t>(x.shape).drop_front(*axis));
  for (size_t k = 1; k < 3; ++k) // a scale or bias that broadcasts in another way is left to the standard's definition
    if (node.has(k) && (node.type(k).elements() != width || node.type(k).dtype != x.dtype)) return node.decline();
  Formula f(node);
  Shape merged(x.shape.begin(), x.shape.begin() + *axis);
  merged.push_back(width);
  llvm::SmallVector<ValueId, 3> operands = {f.reshape(node[0], merged), f.reshape(node[1], {width})};
  if (hasBias)
    operands.push_back(node.has(2) ? f.reshape(node[2], {width}) : f.taken(node.filled(Type{x.dtype, {width}}, 0)));
  if (llvm::Error error = f.takeError()) return error;
  auto all = node.makeMany(op, operands, {{"epsilon", node.real("epsilon", 1e-5)}});
  if (!all) return all.takeError();
  for (size_t j = 0; j < node.numResults() && j < all->size(); ++j) {
    Shape shape(x.shape.begin(), x.shape.end());
    for (size_t d = size_t(*axis); j > 0 && d < shape.size(); ++d)
      shape[d] = 1; // ONNX keeps the reduced dimensions with size 1
    if (llvm::Error error = node.result(node.reshape((*all)[j], shape))) return error;
  }
  return llvm::Error::success();
}
llvm::Error importLayerNorm(NodeImport &node) { return importNorm(node, "layer_norm", true); }
llvm::Error importRmsNorm(NodeImport &node) { return importNorm(node, "rms_norm", false); }

/// Scores [n, c, ..] (operand `first`) and labels [n, ..] (the next one) as rows: [rows, c], and i64 [rows].
struct Rows {
  ValueId scores, labels;
  int64_t count, classes;
  double ignored; ///< the label that does not count; if there is none, a number that no label is
};

llvm::Expected<Rows> rowsOf(NodeImport &node, Formula &f, size_t first = 0) {
  const Shape scores = node.type(first).shape, labels = node.type(first + 1).shape;
  Shape wanted = scores;
  if (scores.size() < 2) return node.fail("its scores need a dimension of classes");
  wanted.erase(wanted.begin() + 1);
  if (wanted != labels || isFloat(node.type(first + 1).dtype)) return node.fail("its labels do not fit its scores");
  llvm::SmallVector<int64_t, 6> perm = countingUp(scores.size());
  std::rotate(perm.begin() + 1, perm.begin() + 2, perm.end());
  Rows rows{kNone, kNone, elementsOf(labels), scores[1], double(node.integer("ignore_index", INT64_MIN))};
  rows.scores = f.reshape(f.transpose(node[first], perm), {rows.count, rows.classes});
  rows.labels = f.cast(f.reshape(node[first + 1], {rows.count}), DType::I64);
  if (llvm::Error error = f.takeError()) return error;
  return rows;
}

/// The mean or sum over the rows that count, by the fused operator.
llvm::Error finishCrossEntropy(NodeImport &node, Formula &f, const Rows &rows, bool isMean) {
  auto all = node.makeMany("cross_entropy", {rows.scores, rows.labels},
                           {{"ignore_index", node.integer("ignore_index", INT64_MIN)}});
  if (!all) return all.takeError();
  return f.finish(isMean ? f("div", {(*all)[0], (*all)[1]}) : (*all)[0]);
}

/// The negative log-likelihood of each row, which is `logSumExp` minus the score at the label (kNone: the scores are
/// logarithms already), times its weight, and reduced as `reduction` says.
llvm::Error finishLikelihood(NodeImport &node, Formula &f, const Rows &rows, ValueId logSumExp,
                             const std::string &reduction) {
  ValueId zero = f.constant(rows.scores, 0), one = f.constant(rows.scores, 1);
  ValueId ignored = f("equal", {rows.labels, f.constant(rows.labels, rows.ignored)});
  ValueId labels = f("where", {ignored, f.constant(rows.labels, 0), rows.labels});
  ValueId score = f("gather_elements", {rows.scores, f.reshape(labels, {rows.count, 1})});
  ValueId given = f.reshape(logSumExp == kNone ? f("neg", {score}) : f("sub", {logSumExp, score}), {rows.count});
  ValueId weight = node.has(2) ? f("gather", {node[2], labels}) : f.expand(one, {rows.count});
  weight = f("where", {ignored, zero, weight});
  ValueId loss = f("mul", {given, weight});
  if (reduction == "none") return f.finish(f.reshape(loss, node.type(1).shape));
  auto total = [&](ValueId x) { return f.reshape(f.reduced("reduce_sum", x, {0}), {}); };
  return f.finish(reduction == "sum" ? total(loss) : f("div", {total(loss), total(weight)}));
}

/// PyTorch's exporters write a target of probabilities as labels that are floats. The loss is a sum over classes of the
/// row's logarithms times them, and its mean is over all rows.
llvm::Error importSoftCrossEntropy(NodeImport &node, const std::string &reduction) {
  const Shape scores = node.type(0).shape;
  if (scores.size() < 2 || node.type(1).shape != scores || node.numResults() > 1)
    return node.fail("its labels are floats, and no probabilities of each class");
  Formula f(node);
  llvm::SmallVector<int64_t, 6> perm = countingUp(scores.size()); // from [n, c, ..] to [n, .., c]
  std::rotate(perm.begin() + 1, perm.begin() + 2, perm.end());
  Shape rows = scores;
  rows.erase(rows.begin() + 1);
  ValueId terms = f("mul", {logSoftmax(f, f.transpose(node[0], perm)), f.transpose(node[1], perm)});
  if (node.has(2)) terms = f("mul", {terms, node[2]});
  ValueId loss = f("neg", {f.reshape(f.reduced("reduce_sum", terms, {int64_t(rows.size())}), rows)});
  if (reduction == "none") return f.finish(loss);
  ValueId total = f.reshape(f.reduced("reduce_sum", loss, countingUp(rows.size())), {});
  return f.finish(reduction == "sum" ? total : f("div", {total, f.constant(total, double(elementsOf(rows)))}));
}

llvm::Error importCrossEntropy(NodeImport &node) {
  std::string reduction = node.text("reduction", "mean");
  if (isFloat(node.type(1).dtype)) return importSoftCrossEntropy(node, reduction);
  Formula f(node);
  auto rows = rowsOf(node, f);
  if (!rows) return rows.takeError();
  bool isFused = reduction != "none" && !node.has(2);
  if (llvm::Error error = isFused ? finishCrossEntropy(node, f, *rows, reduction == "mean")
                                  : finishLikelihood(node, f, *rows, f("log_sum_exp", {rows->scores}), reduction))
    return error;
  if (node.numResults() < 2) return llvm::Error::success();
  Formula second(node); // the second result: the logarithms in the shape of the scores
  auto perm = lastSwapped(node.type(0).shape.size(), 1);
  return second.finish(second.transpose(logSoftmax(second, second.transpose(node[0], perm)), perm));
}

/// The scores of which `value` is the log-softmax, or kNone. It may also be written as z - log(sum(exp(z))), with x -
/// max(x) as z.
ValueId scoresOf(const Graph &graph, ValueId value) {
  auto operand = [&](ValueId v, llvm::StringRef op, unsigned k) {
    const Node *producer = v == kNone ? nullptr : graph.producer(v);
    return producer && producer->is(op) ? producer->operands[k] : kNone;
  };
  if (ValueId x = operand(value, "log_softmax", 0); x != kNone) return x;
  ValueId z = operand(value, "sub", 0), sum = operand(operand(value, "sub", 1), "log", 0);
  if (z == kNone || operand(operand(sum, "reduce_sum", 0), "exp", 0) != z) return kNone;
  ValueId x = operand(z, "sub", 0);
  return x != kNone && operand(operand(z, "sub", 1), "reduce_max", 0) == x ? x : z;
}

/// Over a log-softmax, this is the cross-entropy of the operand of the log-softmax.
llvm::Error importLikelihood(NodeImport &node) {
  std::string reduction = node.text("reduction", "mean");
  Formula f(node);
  auto rows = rowsOf(node, f);
  if (!rows) return rows.takeError();
  ValueId scores = scoresOf(node.graph(), rows->scores);
  if (scores == kNone || reduction == "none" || node.has(2)) return finishLikelihood(node, f, *rows, kNone, reduction);
  rows->scores = scores;
  return finishCrossEntropy(node, f, *rows, reduction == "mean");
}

/// The cross_entropy of these rows, which may be in the graph already.
llvm::Expected<llvm::SmallVector<ValueId, 2>> crossEntropyOf(NodeImport &node, const Rows &rows) {
  const Graph &graph = node.graph();
  const Attributes attributes = {{"ignore_index", node.integer("ignore_index", INT64_MIN)}};
  for (Use use : graph.value(rows.scores).uses) {
    const Node &known = graph.node(use.node);
    if (known.is("cross_entropy") && use.operand == 0 && known.operands[1] == rows.labels &&
        known.attributes == attributes)
      return known.results;
  }
  return node.makeMany("cross_entropy", {rows.scores, rows.labels}, attributes);
}

/// SoftmaxCrossEntropyLossGrad(dloss, logarithms of the softmax (the second result of the forward), labels).
llvm::Error importCrossEntropyGrad(NodeImport &node) {
  const std::string reduction = node.text("reduction", "mean");
  if (reduction == "none" || node.has(3)) return node.fail("a loss of each row, or with weights, is not supported");
  Formula f(node);
  auto rows = rowsOf(node, f, 1);
  if (!rows) return rows.takeError();
  if (ValueId scores = scoresOf(node.graph(), rows->scores); scores != kNone)
    rows->scores = scores; // otherwise the logarithms themselves, whose softmax is the same
  auto all = crossEntropyOf(node, *rows);
  if (!all) return all.takeError();
  ValueId dloss = f.cast(f.reshape(node[0], {}), f.typeOf((*all)[0]).dtype);
  if (reduction == "mean") dloss = f("div", {dloss, (*all)[1]});
  ValueId gradient = f("cross_entropy_grad", {rows->scores, rows->labels, (*all)[2], dloss},
                       {{"ignore_index", node.integer("ignore_index", INT64_MIN)}});
  const Shape scores = node.type(1).shape;
  llvm::SmallVector<int64_t, 6> perm = countingUp(scores.size()); // from [n, .., c] to [n, c, ..]
  std::rotate(perm.begin() + 1, perm.end() - 1, perm.end());
  Shape last = scores;
  std::rotate(last.begin() + 1, last.begin() + 2, last.end());
  return f.finish(f.transpose(f.reshape(gradient, last), perm));
}

const ImportDef kImports[] = {
    {"", "LayerNormalization", 2, importLayerNorm},
    {"", "NegativeLogLikelihoodLoss", 2, importLikelihood},
    {"", "RMSNormalization", 2, importRmsNorm},
    {"", "Softmax", 1, importSoftmax},
    {"", "SimplifiedLayerNormalization", 2, importRmsNorm}, // onnxruntime's name of it, in ONNX's domain
    {"", "SoftmaxCrossEntropyLoss", 2, importCrossEntropy},
    {"com.microsoft", "SoftmaxCrossEntropyLossGrad", 3, importCrossEntropyGrad},
};

} // namespace

llvm::ArrayRef<ImportDef> networkImports() { return kImports; }

} // namespace autotp

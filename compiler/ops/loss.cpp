// compiler/ops/loss.cpp: softmax cross-entropy over the rows that count. It gives a sum and a count; passes/recognise
// and the import of ONNX build the mean from them.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"

#include <cmath>

namespace autotp {
namespace {

DType sumDType(const Type &logits) { return logits.dtype == DType::F64 ? DType::F64 : DType::F32; }

llvm::Error checkLogits(const OpCall &call) {
  if (call.operands[0].shape.size() == 2 && call.operands[1].shape == Shape{call.operands[0].shape[0]})
    return llvm::Error::success();
  return typeProblem("it needs logits [rows, classes] and labels [rows], not " + llvm::Twine(call.operands[0].text()) +
                     " and " + call.operands[1].text());
}

llvm::Expected<Types> inferCrossEntropy(const OpCall &call) {
  if (llvm::Error error = checkLogits(call)) return error;
  DType sum = sumDType(call.operands[0]);
  return Types{Type{sum, {}}, Type{sum, {}}, Type{sum, {call.operands[0].shape[0]}}};
}

llvm::Expected<Types> inferCrossEntropyGrad(const OpCall &call) {
  if (llvm::Error error = checkLogits(call)) return error;
  if (llvm::Error error = checkShape(call, 2, "log-sum-exp", call.operands[1].shape)) return error;
  if (llvm::Error error = checkShape(call, 3, "arriving gradient", {})) return error;
  return inferSame(call);
}

llvm::Expected<Types> inferLocal(const OpCall &call) {
  return Types{Type{sumDType(call.operands[0]), {2, call.operands[0].shape[0]}}};
}
llvm::Expected<Types> inferFinish(const OpCall &call) {
  DType sum = call.operands[0].dtype;
  return Types{Type{sum, {}}, Type{sum, {}}, Type{sum, call.operands[1].shape}};
}

void finish(const OpCall &call, const double *sums, const double *targets, const double *largest, const Array &labels,
            llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < labels.data.size(); ++i) {
    double lse = largest[i] + std::log(sums[i]);
    out[2].data[i] = lse;
    if (int64_t(labels.data[i]) == call.attributes.integer("ignore_index", -100)) continue;
    out[0].data[0] += lse - targets[i];
    out[1].data[0] += 1;
  }
}

void localSums(const Array &logits, const Array &labels, const double *largest, int64_t offset, double *sums,
               double *targets) {
  int64_t classes = logits.type.shape[1];
  for (int64_t i = 0; i < logits.type.shape[0]; ++i) {
    const double *row = logits.data.data() + i * classes;
    int64_t label = int64_t(labels.data[i]) - offset;
    sums[i] = 0;
    for (int64_t c = 0; c < classes; ++c)
      sums[i] += std::exp(row[c] - largest[i]);
    targets[i] = label >= 0 && label < classes ? row[label] : 0;
  }
}

void evaluateCrossEntropy(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  int64_t rows = in[0]->type.shape[0], classes = in[0]->type.shape[1];
  std::vector<double> largest(rows, -HUGE_VAL), sums(rows), targets(rows);
  for (int64_t i = 0; i < rows * classes; ++i)
    largest[i / classes] = std::max(largest[i / classes], in[0]->data[i]);
  localSums(*in[0], *in[1], largest.data(), 0, sums.data(), targets.data());
  finish(call, sums.data(), targets.data(), largest.data(), *in[1], out);
}

void evaluateLocal(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  double *sums = out[0].data.data();
  localSums(*in[0], *in[1], in[2]->data.data(), call.attributes.integer("class_offset"), sums,
            sums + in[0]->type.shape[0]);
}

void evaluateFinish(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const double *sums = in[0]->data.data();
  finish(call, sums, sums + in[1]->data.size(), in[1]->data.data(), *in[2], out);
}

void evaluateGrad(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  int64_t classes = in[0]->type.shape[1], offset = call.attributes.integer("class_offset");
  for (int64_t i = 0; i < in[0]->type.shape[0]; ++i) {
    int64_t label = int64_t(in[1]->data[i]);
    if (label == call.attributes.integer("ignore_index", -100)) continue;
    for (int64_t c = 0; c < classes; ++c)
      out[0].data[i * classes + c] =
          in[3]->data[0] * (std::exp(in[0]->data[i * classes + c] - in[2]->data[i]) - (label == c + offset));
  }
}

/// The count depends on no float, so only the gradient of the sum matters.
void crossEntropyGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  if (d[0] == kNone) return zeroGradients(b, node, o);
  o[0] = b.make("cross_entropy_grad", {node.operands[0], node.operands[1], node.results[2], d[0]}, node.attributes);
}

double perLogit(const OpCall &call) { return 5.0 * double(call.operands[0].elements()); }

IndexTerms crossEntropyAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText("n c, n -> , , n", arena, call.operands, call.results);
  terms.classes = terms.ins[0][1];
  for (auto &contracted : terms.contracted)
    llvm::erase_value(contracted, terms.classes);
  return terms;
}

IndexTerms crossEntropyGradAxes(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText("n c, n, n, -> n c", arena, call.operands, call.results);
  terms.classes = terms.ins[0][1];
  return terms;
}

/// A part of the classes knows where it begins and how many classes all parts have, once localise has said so.
Attributes ofPart(const OpCall &whole) {
  Attributes own = whole.attributes;
  own.set("ignore_index", own.integer("ignore_index", -100));
  return own;
}
Attributes ofLabels(const OpCall &whole) { return {{"ignore_index", whole.attributes.integer("ignore_index", -100)}}; }

/// A maximum is reduced first, then the sum and the logit of the target together, so that 3 values for each row are sent
/// (Shoeybi et al. 2019, section 3).
constexpr FusedOp kShardedFormula[] = {
    {.op = "reduce_max",
     .operands = {0},
     .own = [](const OpCall &) -> Attributes {
       return {{"axes", llvm::SmallVector<int64_t, 6>{1}}, {"keepdims", int64_t(0)}};
     },
     .reduce = Reduction::Max},
    {.op = "cross_entropy_local", .operands = {0, 1, resultOf(0)}, .own = ofPart, .reduce = Reduction::Sum},
    {.op = "cross_entropy_finish", .operands = {resultOf(1), resultOf(0), 1}, .own = ofLabels},
};

const OpDef kOps[] = {
    {.name = "cross_entropy",
     .axisRule = crossEntropyAxes,
     .infer = inferCrossEntropy,
     .evaluate = evaluateCrossEntropy,
     .gradient = crossEntropyGradient,
     .flops = perLogit,
     .kernel = KernelId::CrossEntropy,
     .precision = Precision::Full,
     .savedResults = 0b100,
     .formula = kShardedFormula},
    {.name = "cross_entropy_finish",
     .infer = inferFinish,
     .evaluate = evaluateFinish,
     .kernel = KernelId::CrossEntropyFinish,
     .precision = Precision::Full},
    {.name = "cross_entropy_grad",
     .axisRule = crossEntropyGradAxes,
     .linearIn = operand(3),
     .infer = inferCrossEntropyGrad,
     .evaluate = evaluateGrad,
     .flops = perLogit,
     .kernel = KernelId::CrossEntropyGrad,
     .precision = Precision::Full,
     .mayReuse = true},
    {.name = "cross_entropy_local",
     .infer = inferLocal,
     .evaluate = evaluateLocal,
     .kernel = KernelId::CrossEntropyLocal,
     .precision = Precision::Full},
};

} // namespace

llvm::ArrayRef<OpDef> lossOps() { return kOps; }

} // namespace autotp

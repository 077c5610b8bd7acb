// compiler/ops/norm.cpp: softmax and its kin and the normalisations, all over the last dimension, with their gradients.
#include "compiler/axes/index_text.h"
#include "compiler/ops/families.h"

#include <cmath>

namespace autotp {
namespace {

Type statisticsOf(const Type &x) {
  return Type{x.dtype == DType::F64 ? DType::F64 : DType::F32, Shape(x.shape.begin(), x.shape.end() - 1)};
}

llvm::Error checkRows(const OpCall &call, unsigned vectors) {
  if (call.operands[0].shape.empty()) return typeProblem("its operand has no dimension");
  for (unsigned k = 1; k <= vectors; ++k)
    if (call.operands[k].shape != Shape{call.operands[0].shape.back()})
      return typeProblem("its scale or bias is " + llvm::Twine(call.operands[k].text()) + " for rows of " +
                         llvm::Twine(call.operands[0].shape.back()));
  return llvm::Error::success();
}

llvm::Expected<Types> inferLayerNorm(const OpCall &call) {
  if (llvm::Error error = checkRows(call, 2)) return error;
  return Types{call.operands[0], statisticsOf(call.operands[0]), statisticsOf(call.operands[0])};
}
llvm::Expected<Types> inferRmsNorm(const OpCall &call) {
  if (llvm::Error error = checkRows(call, 1)) return error;
  return Types{call.operands[0], statisticsOf(call.operands[0])};
}
llvm::Expected<Types> inferLayerNormGrad(const OpCall &call) {
  if (llvm::Error error = checkRows(call, 1)) return error;
  const Shape statistics = statisticsOf(call.operands[0]).shape;
  if (llvm::Error error = checkShape(call, 2, "mean", statistics)) return error;
  if (llvm::Error error = checkShape(call, 3, "rstd", statistics)) return error;
  if (llvm::Error error = checkShape(call, 4, "arriving gradient", call.operands[0].shape)) return error;
  return Types{call.operands[0], call.operands[1], call.operands[1]};
}
llvm::Expected<Types> inferRmsNormGrad(const OpCall &call) {
  if (llvm::Error error = checkRows(call, 1)) return error;
  if (llvm::Error error = checkShape(call, 2, "rstd", statisticsOf(call.operands[0]).shape)) return error;
  if (llvm::Error error = checkShape(call, 3, "arriving gradient", call.operands[0].shape)) return error;
  return Types{call.operands[0], call.operands[1]};
}

struct Rows {
  int64_t rows, width;
  explicit Rows(const Array &x) : width(x.type.shape.back()) { rows = width ? int64_t(x.data.size()) / width : 0; }
};

void evaluateSoftmax(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *x = in[0]->data.data() + i * r.width;
    double *y = out[0].data.data() + i * r.width, largest = -HUGE_VAL, sum = 0;
    for (int64_t j = 0; j < r.width; ++j)
      largest = std::max(largest, x[j]);
    for (int64_t j = 0; j < r.width; ++j)
      sum += y[j] = std::exp(x[j] - largest);
    for (int64_t j = 0; j < r.width; ++j)
      y[j] /= sum;
  }
}

/// dx = y (dy - sum(y dy)). If all of dy is 0, so is dx, even if y is NaN since the whole row was masked: code that
/// replaces such rows behind the softmax gives them gradient 0.
void evaluateSoftmaxGrad(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *y = in[0]->data.data() + i * r.width, *dy = in[1]->data.data() + i * r.width;
    double dot = 0;
    for (int64_t j = 0; j < r.width; ++j)
      dot += dy[j] == 0 ? 0 : y[j] * dy[j];
    for (int64_t j = 0; j < r.width; ++j)
      out[0].data[i * r.width + j] = dy[j] == dot ? 0 : y[j] * (dy[j] - dot);
  }
}

void evaluateLayerNorm(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *x = in[0]->data.data() + i * r.width;
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < r.width; ++j)
      mean += x[j] / double(r.width);
    for (int64_t j = 0; j < r.width; ++j)
      variance += (x[j] - mean) * (x[j] - mean) / double(r.width);
    double rstd = 1 / std::sqrt(variance + call.attributes.real("epsilon"));
    for (int64_t j = 0; j < r.width; ++j)
      out[0].data[i * r.width + j] = (x[j] - mean) * rstd * in[1]->data[j] + in[2]->data[j];
    out[1].data[i] = mean;
    out[2].data[i] = rstd;
  }
}

void evaluateLayerNormGrad(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *x = in[0]->data.data() + i * r.width, *dy = in[4]->data.data() + i * r.width;
    double mean = in[2]->data[i], rstd = in[3]->data[i], sum = 0, dot = 0;
    for (int64_t j = 0; j < r.width; ++j) {
      double g = dy[j] * in[1]->data[j], normal = (x[j] - mean) * rstd;
      sum += g / double(r.width);
      dot += g * normal / double(r.width);
      out[1].data[j] += dy[j] * normal;
      out[2].data[j] += dy[j];
    }
    for (int64_t j = 0; j < r.width; ++j)
      out[0].data[i * r.width + j] = rstd * (dy[j] * in[1]->data[j] - sum - (x[j] - mean) * rstd * dot);
  }
}

/// Root mean square normalisation (Zhang and Sennrich 2019).
void evaluateRmsNorm(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *x = in[0]->data.data() + i * r.width;
    double square = 0;
    for (int64_t j = 0; j < r.width; ++j)
      square += x[j] * x[j] / double(r.width);
    double rstd = 1 / std::sqrt(square + call.attributes.real("epsilon"));
    for (int64_t j = 0; j < r.width; ++j)
      out[0].data[i * r.width + j] = x[j] * rstd * in[1]->data[j];
    out[1].data[i] = rstd;
  }
}

void evaluateRmsNormGrad(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *x = in[0]->data.data() + i * r.width, *dy = in[3]->data.data() + i * r.width;
    double rstd = in[2]->data[i], dot = 0;
    for (int64_t j = 0; j < r.width; ++j) {
      dot += dy[j] * in[1]->data[j] * x[j] * rstd / double(r.width);
      out[1].data[j] += dy[j] * x[j] * rstd;
    }
    for (int64_t j = 0; j < r.width; ++j)
      out[0].data[i * r.width + j] = rstd * (dy[j] * in[1]->data[j] - x[j] * rstd * dot);
  }
}

/// The maximum m of a row x, and the logarithm of the sum of exp(x - m).
std::pair<double, double> logTotalOf(const double *x, int64_t width) {
  double largest = -HUGE_VAL, sum = 0;
  for (int64_t j = 0; j < width; ++j)
    largest = std::max(largest, x[j]);
  for (int64_t j = 0; j < width; ++j)
    sum += std::exp(x[j] - largest);
  return {largest, std::log(sum)};
}

void evaluateLogSoftmax(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (int64_t i = 0; i < r.rows; ++i) {
    const double *x = in[0]->data.data() + i * r.width;
    const auto [largest, logTotal] = logTotalOf(x, r.width);
    for (int64_t j = 0; j < r.width; ++j)
      out[0].data[size_t(i * r.width + j)] = x[j] - largest - logTotal;
  }
}

/// dx = dy - softmax(x) sum(dy)
void logSoftmaxGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const ValueId y = b.graph.node(id).results[0];
  llvm::SmallVector<int64_t, 6> rows = {int64_t(b.graph.type(y).shape.size()) - 1};
  ValueId total = b.make("reduce_sum", {d[0]}, {{"axes", rows}, {"keepdims", int64_t(1)}});
  o[0] = b.make("sub", {d[0], b.make("mul", {b.make("exp", {y}), total})});
}

void evaluateLogSumExp(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  Rows r(*in[0]);
  for (size_t i = 0; i < out[0].data.size(); ++i) {
    const auto [largest, logTotal] = logTotalOf(in[0]->data.data() + int64_t(i) * r.width, r.width);
    out[0].data[i] = std::isinf(largest) ? largest : largest + logTotal;
  }
}

/// dx = softmax(x) dy
void logSumExpGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  o[0] = b.make("mul", {b.make("exp", {b.make("sub", {node.operands[0], node.results[0]})}), d[0]});
}

llvm::Expected<Types> inferLogSumExp(const OpCall &call) {
  if (call.operands[0].shape.empty()) return typeProblem("its operand has no dimension");
  Type type = call.operands[0];
  type.shape.back() = 1;
  return Types{type};
}

/// The terms of an operator that reduces along the last dimension of its operands within itself.
template <const char *kText> IndexTerms alongRows(AxisArena &arena, const OpCall &call) {
  IndexTerms terms = instantiateText(kText, arena, call.operands, call.results);
  if (const AxisId row = terms.ins[0].back(); row != kNoAxis) {
    terms.within.push_back(row);
    for (auto &contracted : terms.contracted)
      llvm::erase_value(contracted, row);
  }
  return terms;
}
constexpr char kSoftmaxText[] = "r... c -> r... c", kSoftmaxGradText[] = "r... c, r... c -> r... c",
               kLogSumExpText[] = "r... c -> r... one";

Attributes overRows(const OpCall &whole) {
  llvm::SmallVector<int64_t, 6> axes = {int64_t(whole.operands[0].shape.size()) - 1};
  return {{"axes", axes}, {"keepdims", int64_t(1)}};
}

constexpr FusedOp kSoftmaxFormula[] = {
    {.op = "reduce_max", .operands = {0}, .own = overRows, .reduce = Reduction::Max},
    {.op = "sub", .operands = {0, resultOf(0)}},
    {.op = "exp", .operands = {resultOf(1)}},
    {.op = "reduce_sum", .operands = {resultOf(2)}, .own = overRows, .reduce = Reduction::Sum},
    {.op = "div", .operands = {resultOf(2), resultOf(3)}},
};
constexpr FusedOp kSoftmaxGradFormula[] = {
    {.op = "mul", .operands = {0, 1}},
    {.op = "reduce_sum", .operands = {resultOf(0)}, .own = overRows, .reduce = Reduction::Sum},
    {.op = "sub", .operands = {1, resultOf(1)}},
    {.op = "mul", .operands = {0, resultOf(2)}},
};
constexpr FusedOp kLogSoftmaxFormula[] = {
    {.op = "reduce_max", .operands = {0}, .own = overRows, .reduce = Reduction::Max},
    {.op = "sub", .operands = {0, resultOf(0)}},
    {.op = "exp", .operands = {resultOf(1)}},
    {.op = "reduce_sum", .operands = {resultOf(2)}, .own = overRows, .reduce = Reduction::Sum},
    {.op = "log", .operands = {resultOf(3)}},
    {.op = "sub", .operands = {resultOf(1), resultOf(4)}},
};
constexpr FusedOp kLogSumExpFormula[] = {
    {.op = "reduce_max", .operands = {0}, .own = overRows, .reduce = Reduction::Max},
    {.op = "sub", .operands = {0, resultOf(0)}},
    {.op = "exp", .operands = {resultOf(1)}},
    {.op = "reduce_sum", .operands = {resultOf(2)}, .own = overRows, .reduce = Reduction::Sum},
    {.op = "log", .operands = {resultOf(3)}},
    {.op = "add", .operands = {resultOf(0), resultOf(4)}},
};

void softmaxGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  o[0] = b.make("softmax_grad", {b.graph.node(id).results[0], d[0]});
}

/// The part of dx that comes through the statistics of a norm. For rows of n elements, d mean / dx = 1 / n and d rstd /
/// dx = -rstd^3 (x - mean) / n.
class StatisticGradient {
public:
  StatisticGradient(Builder &b, ValueId x) : builder_(b), operand_(x), type_(b.graph.type(x)) {}

  ValueId ofMean(ValueId arriving) { return builder_.makeTyped("expand", {column(perElement(arriving, 1))}, type_); }
  /// `mean` is kNone for a norm that does not subtract the mean.
  ValueId ofScale(ValueId arriving, ValueId rstd, ValueId mean) {
    ValueId cube = builder_.make("mul", {builder_.make("mul", {rstd, rstd}), rstd});
    ValueId centred = mean == kNone ? operand_ : builder_.make("sub", {operand_, column(mean)});
    return builder_.make("mul", {centred, column(perElement(builder_.make("mul", {arriving, cube}), -1))});
  }

private:
  ValueId perElement(ValueId value, double factor) {
    return builder_.make(
        "mul", {value, builder_.scalar(builder_.graph.type(value).dtype, factor / double(type_.shape.back()))});
  }
  ValueId column(ValueId value) {
    Shape shape = builder_.graph.type(value).shape;
    shape.push_back(1);
    return builder_.reshape(value, shape);
  }

  Builder &builder_;
  ValueId operand_;
  const Type type_;
};

void layerNormGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  const ValueId x = node.operands[0], mean = node.results[1], rstd = node.results[2];
  if (d[0] == kNone)
    zeroGradients(b, node, o);
  else
    llvm::copy(b.makeMany("layer_norm_grad", {x, node.operands[1], mean, rstd, d[0]}), o.begin());
  StatisticGradient statistic(b, x);
  if (d[1] != kNone) o[0] = b.make("add", {o[0], statistic.ofMean(d[1])});
  if (d[2] != kNone) o[0] = b.make("add", {o[0], statistic.ofScale(d[2], rstd, mean)});
}

void rmsNormGradient(Builder &b, NodeId id, llvm::ArrayRef<ValueId> d, llvm::MutableArrayRef<ValueId> o) {
  const Node node = b.graph.node(id);
  const ValueId x = node.operands[0], rstd = node.results[1];
  if (d[0] == kNone)
    zeroGradients(b, node, o);
  else
    llvm::copy(b.makeMany("rms_norm_grad", {x, node.operands[1], rstd, d[0]}), o.begin());
  if (d[1] != kNone) o[0] = b.make("add", {o[0], StatisticGradient(b, x).ofScale(d[1], rstd, kNone)});
}

double perElement(const OpCall &call) { return 8.0 * double(call.operands[0].elements()); }

const OpDef kOps[] = {
    {.name = "layer_norm",
     .axes = "r... h!, h!, h! -> r... h!, r..., r...",
     .infer = inferLayerNorm,
     .evaluate = evaluateLayerNorm,
     .gradient = layerNormGradient,
     .flops = perElement,
     .kernel = KernelId::LayerNorm,
     .fullOperands = 0b110,
     .fullResults = 0b110},
    {.name = "layer_norm_grad",
     .axes = "r... h!, h!, r..., r..., r... h! -> r... h!, h!, h!",
     .linearIn = operand(4),
     .infer = inferLayerNormGrad,
     .evaluate = evaluateLayerNormGrad,
     .flops = perElement,
     .kernel = KernelId::LayerNormGrad,
     .fullOperands = 0b1110,
     .fullResults = 0b110},
    {.name = "log_softmax",
     .axisRule = alongRows<kSoftmaxText>,
     .infer = inferSame,
     .evaluate = evaluateLogSoftmax,
     .gradient = logSoftmaxGradient,
     .flops = perElement,
     .kernel = KernelId::LogSoftmax,
     .precision = Precision::Full,
     .mayReuse = true,
     .formula = kLogSoftmaxFormula},
    {.name = "log_sum_exp",
     .axisRule = alongRows<kLogSumExpText>,
     .infer = inferLogSumExp,
     .evaluate = evaluateLogSumExp,
     .gradient = logSumExpGradient,
     .flops = perElement,
     .kernel = KernelId::LogSumExp,
     .precision = Precision::Full,
     .formula = kLogSumExpFormula},
    {.name = "rms_norm",
     .axes = "r... h!, h! -> r... h!, r...",
     .infer = inferRmsNorm,
     .evaluate = evaluateRmsNorm,
     .gradient = rmsNormGradient,
     .flops = perElement,
     .kernel = KernelId::RmsNorm,
     .fullOperands = 0b10,
     .fullResults = 0b10},
    {.name = "rms_norm_grad",
     .axes = "r... h!, h!, r..., r... h! -> r... h!, h!",
     .linearIn = operand(3),
     .infer = inferRmsNormGrad,
     .evaluate = evaluateRmsNormGrad,
     .flops = perElement,
     .kernel = KernelId::RmsNormGrad,
     .fullOperands = 0b110,
     .fullResults = 0b10},
    {.name = "softmax",
     .axisRule = alongRows<kSoftmaxText>,
     .infer = inferSame,
     .evaluate = evaluateSoftmax,
     .gradient = softmaxGradient,
     .flops = perElement,
     .kernel = KernelId::Softmax,
     .precision = Precision::Full,
     .mayReuse = true,
     .formula = kSoftmaxFormula},
    {.name = "softmax_grad",
     .axisRule = alongRows<kSoftmaxGradText>,
     .linearIn = operand(1),
     .infer = inferAlike,
     .evaluate = evaluateSoftmaxGrad,
     .flops = perElement,
     .kernel = KernelId::SoftmaxGrad,
     .precision = Precision::Full,
     .formula = kSoftmaxGradFormula},
};

} // namespace

llvm::ArrayRef<OpDef> normOps() { return kOps; }

} // namespace autotp

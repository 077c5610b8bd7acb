// compiler/ops/optimizer.cpp: what runs on the flat f32 buckets of gradients, parameters and states. These exist in
// local graphs only: no axes, no gradients. kernels.def has their formulas.
#include "compiler/ops/families.h"

#include <cmath>

namespace autotp {
namespace {

llvm::Expected<Types> inferScalar(const OpCall &call) { return Types{Type{call.operands[0].dtype, {}}}; }
llvm::Expected<Types> inferGradScale(const OpCall &call) { return Types{call.operands[0], call.operands[0]}; }
llvm::Expected<Types> inferAdamW(const OpCall &call) {
  return Types{call.operands[0], call.operands[1], call.operands[2]};
}

void evaluateAccumulate(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = in[0]->data[i] + in[1]->data[i];
}

/// Whether bucket element `at` lies in one of the {begins, ends} segments. Evaluated for dp rank 0.
bool isInSegments(const Attributes &attributes, int64_t at) {
  llvm::ArrayRef<int64_t> begins = attributes.integers("begins"), ends = attributes.integers("ends");
  for (size_t i = 0; i < begins.size(); ++i)
    if (at >= begins[i] && at < ends[i]) return true;
  return false;
}

void evaluateSumSquares(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < in[0]->data.size(); ++i)
    if (isInSegments(call.attributes, int64_t(i))) out[0].data[0] += in[0]->data[i] * in[0]->data[i];
}

void evaluateGradScale(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  double count = in[1]->data[0], norm = std::sqrt(in[0]->data[0]) / count, limit = call.attributes.real("max_norm");
  out[0].data[0] = (limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0) / count;
  out[1].data[0] = norm;
}

/// Loshchilov and Hutter 2019, in torch's order of operations.
void evaluateAdamW(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const Attributes &a = call.attributes;
  double beta1 = a.real("beta1"), beta2 = a.real("beta2"), lr = in[5]->data[0], step = in[6]->data[0];
  for (size_t i = 0; i < out[0].data.size(); ++i) {
    double g = in[3]->data[i] * in[4]->data[0], decay = isInSegments(a, int64_t(i)) ? a.real("weight_decay") : 0;
    double m = beta1 * in[1]->data[i] + (1 - beta1) * g, v = beta2 * in[2]->data[i] + (1 - beta2) * g * g;
    double denominator = std::sqrt(v) / std::sqrt(1 - std::pow(beta2, step)) + a.real("epsilon");
    out[0].data[i] = in[0]->data[i] * (1 - lr * decay) - lr / (1 - std::pow(beta1, step)) * m / denominator;
    out[1].data[i] = m;
    out[2].data[i] = v;
  }
}

llvm::Expected<Types> inferLossScale(const OpCall &call) {
  return Types{call.operands[0], call.operands[1], call.operands[3]};
}

void evaluateLossScale(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const std::vector<double> &before = in[0]->data;
  bool isGood = std::isfinite(in[2]->data[0]);
  std::vector<double> &state = out[0].data;
  state = isGood ? std::vector<double>{before[0], before[1] + 1, before[2]}
                 : std::vector<double>{std::max(before[0] / 2, 1.0), 0, before[2] + 1};
  if (state[1] >= double(call.attributes.integer("window"))) state = {std::min(state[0] * 2, 0x1p24), 0, state[2]};
  out[1].data[0] = isGood ? in[1]->data[0] : std::nan("");
  out[2].data[0] = in[3]->data[0] - before[2];
}

const OpDef kOps[] = {
    {.name = "accumulate",
     .infer = inferSame,
     .evaluate = evaluateAccumulate,
     .kernel = KernelId::Accumulate,
     .inPlace = {0, -1, -1}},
    {.name = "adamw", .infer = inferAdamW, .evaluate = evaluateAdamW, .kernel = KernelId::AdamW, .inPlace = {0, 1, 2}},
    {.name = "grad_scale", .infer = inferGradScale, .evaluate = evaluateGradScale, .kernel = KernelId::GradScale},
    {.name = "loss_scale",
     .infer = inferLossScale,
     .evaluate = evaluateLossScale,
     .kernel = KernelId::LossScale,
     .inPlace = {0, -1, -1}},
    {.name = "sum_squares", .infer = inferScalar, .evaluate = evaluateSumSquares, .kernel = KernelId::SumSquares},
};

} // namespace

llvm::ArrayRef<OpDef> optimizerOps() { return kOps; }

} // namespace autotp

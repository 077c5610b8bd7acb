// compiler/ops/optimizer.cpp: operators on the flat f32 buckets of gradients, parameters and states. They exist in
// local graphs only, so they have neither axes nor gradients. kernels.def has their formulas.
#include "compiler/ops/families.h"

#include <cmath>

namespace autotp {
namespace {

llvm::Expected<Types> inferScalar(const OpCall &call) { return Types{Type{call.operands[0].dtype, {}}}; }
llvm::Expected<Types> inferGradScale(const OpCall &call) { return Types{call.operands[0], call.operands[0]}; }
/// update(param, states.., grad, scale, lr, count) -> (param, states..)
template <int kStates> llvm::Expected<Types> inferUpdate(const OpCall &call) {
  return Types(call.operands.begin(), call.operands.begin() + kStates + 1);
}

void evaluateAccumulate(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  for (size_t i = 0; i < out[0].data.size(); ++i)
    out[0].data[i] = in[0]->data[i] + in[1]->data[i];
}

void evaluateCopy(const OpCall &, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  out[0].data = in[0]->data;
}

/// Whether bucket element `at` lies in a segment of {begins, ends}, on dp rank 0.
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
  out[0].data[0] = std::isfinite(norm) ? (limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0) / count : NAN;
  out[1].data[0] = norm;
}

/// One call of an update, with what is common to all rules.
template <int kStates> struct UpdateCall {
  const Attributes &a;
  llvm::ArrayRef<const Array *> in;
  llvm::MutableArrayRef<Array> out;
  double rate = in[kStates + 3]->data[0], count = in[kStates + 4]->data[0];

  size_t size() const { return out[0].data.size(); }
  bool decays(size_t i) const { return isInSegments(a, int64_t(i)); }
  double gradient(size_t i) const {
    return in[kStates + 1]->data[i] * in[kStates + 2]->data[0] + (decays(i) ? a.real("l2") * in[0]->data[i] : 0);
  }
};

void evaluateAdam(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const UpdateCall<2> update{call.attributes, in, out};
  const Attributes &a = call.attributes;
  const double beta1 = a.real("beta1"), beta2 = a.real("beta2"), lr = update.rate;
  const double first = update.count > 0 ? 1 - std::pow(beta1, update.count) : 1,
               root = update.count > 0 ? std::sqrt(1 - std::pow(beta2, update.count)) : 1;
  for (size_t i = 0; i < update.size(); ++i) {
    const double g = update.gradient(i), m = beta1 * in[1]->data[i] + (1 - beta1) * g,
                 v = beta2 * in[2]->data[i] + (1 - beta2) * g * g;
    const double keptBefore = update.decays(i) ? 1 - lr * a.real("decay_before") : 1,
                 keptAfter = update.decays(i) ? (1 - lr * a.real("decay_after")) * (1 - a.real("shrink_after")) : 1;
    const double way = a.integer("corrects_root") ? lr / first * m / (std::sqrt(v) / root + a.real("epsilon"))
                                                  : lr * root / first * m / (std::sqrt(v) + a.real("epsilon"));
    out[0].data[i] = (in[0]->data[i] * keptBefore - way) * keptAfter;
    out[1].data[i] = m;
    out[2].data[i] = v;
  }
}

void evaluateAdagrad(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const UpdateCall<1> update{call.attributes, in, out};
  const double rate = update.rate / (1 + update.count * call.attributes.real("rate_decay"));
  for (size_t i = 0; i < update.size(); ++i) {
    const double g = update.gradient(i), squares = in[1]->data[i] + g * g;
    out[0].data[i] = in[0]->data[i] - rate * g / (std::sqrt(squares) + call.attributes.real("epsilon"));
    out[1].data[i] = squares;
  }
}

void evaluateMomentum(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const UpdateCall<1> update{call.attributes, in, out};
  const Attributes &a = call.attributes;
  const double momentum = a.real("momentum"), beta = update.count > 0 ? a.real("beta") : 1;
  for (size_t i = 0; i < update.size(); ++i) {
    const double g = update.gradient(i), velocity = momentum * in[1]->data[i] + beta * g;
    out[0].data[i] = in[0]->data[i] - update.rate * (a.integer("nesterov") ? g + momentum * velocity : velocity);
    out[1].data[i] = velocity;
  }
}

void evaluateSgd(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const UpdateCall<0> update{call.attributes, in, out};
  for (size_t i = 0; i < update.size(); ++i)
    out[0].data[i] = in[0]->data[i] - update.rate * update.gradient(i);
}

llvm::Expected<Types> inferLossScale(const OpCall &call) {
  return Types{call.operands[0], call.operands[1], call.operands[3]};
}

void evaluateLossScale(const OpCall &call, llvm::ArrayRef<const Array *> in, llvm::MutableArrayRef<Array> out) {
  const std::vector<double> &before = in[0]->data;
  const Attributes &a = call.attributes;
  const bool isGood = std::isfinite(in[2]->data[0]);
  const double hysteresis = double(a.integer("hysteresis", 1)), lowest = std::max(a.real("minimum", 1), 1.0);
  double scale = before[0], good = before[1] + 1, skipped = before[2], left = before[3];
  if (!isGood) {
    if (left > 1)
      left -= 1;
    else
      scale = std::max(scale / 2, lowest);
    good = a.integer("is_late") ? -1 : 0;
    skipped += 1;
  } else if (good >= double(a.integer("window"))) {
    scale = std::max(scale, std::min(scale * 2, 0x1p24));
    good = 0;
    left = hysteresis;
  } else if (a.integer("refills")) {
    left = hysteresis;
  }
  out[0].data = {scale, good, skipped, left};
  out[1].data[0] = isGood ? in[1]->data[0] : std::nan("");
  out[2].data[0] = in[3]->data[0] - before[2];
}

// As torch.optim calls them.
constexpr llvm::StringLiteral kAdamStates[] = {"exp_avg", "exp_avg_sq"}, kMomentumStates[] = {"momentum_buffer"},
                              kAdagradStates[] = {"sum"};

const OpDef kOps[] = {
    {.name = "accumulate",
     .infer = inferAlike,
     .evaluate = evaluateAccumulate,
     .kernel = KernelId::Accumulate,
     .inPlace = {0, -1, -1}},
    {.name = "adagrad",
     .infer = inferUpdate<1>,
     .evaluate = evaluateAdagrad,
     .kernel = KernelId::Adagrad,
     .inPlace = {0, 1, -1},
     .states = kAdagradStates},
    {.name = "adam",
     .infer = inferUpdate<2>,
     .evaluate = evaluateAdam,
     .kernel = KernelId::Adam,
     .inPlace = {0, 1, 2},
     .states = kAdamStates},
    {.name = "copy", .infer = inferSame, .evaluate = evaluateCopy, .kernel = KernelId::Copy},
    {.name = "grad_scale", .infer = inferGradScale, .evaluate = evaluateGradScale, .kernel = KernelId::GradScale},
    {.name = "loss_scale",
     .infer = inferLossScale,
     .evaluate = evaluateLossScale,
     .kernel = KernelId::LossScale,
     .inPlace = {0, -1, -1}},
    {.name = "momentum",
     .infer = inferUpdate<1>,
     .evaluate = evaluateMomentum,
     .kernel = KernelId::Momentum,
     .inPlace = {0, 1, -1},
     .states = kMomentumStates},
    {.name = "sgd", .infer = inferUpdate<0>, .evaluate = evaluateSgd, .kernel = KernelId::Sgd, .inPlace = {0, -1, -1}},
    {.name = "sum_squares", .infer = inferScalar, .evaluate = evaluateSumSquares, .kernel = KernelId::SumSquares},
};

} // namespace

llvm::ArrayRef<OpDef> optimizerOps() { return kOps; }

} // namespace autotp

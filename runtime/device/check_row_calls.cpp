// runtime/device/check_row_calls.cpp: calls of what works row by row, and of attention.
#include "runtime/device/call_checks.h"

namespace autotp {
namespace {

llvm::Error checkDropout(const KernelCall &call) {
  if (llvm::Error error = expectCounts(call, 3, SIZE_MAX, 1)) return error;
  const auto &in = call.args.operands;
  const TensorArg &y = call.args.results[0];
  if (llvm::Error error = expectCounts(call, 2 + in[0].shape.size(), 2 + in[0].shape.size(), 1)) return error;
  if (llvm::Error error = expectShape(call, in[1], {3}, "the counter")) return error;
  for (size_t k = 1; k < in.size(); ++k) {
    if (llvm::Error error = expectDType(call, in[k], DType::I64, "the counter or positions")) return error;
    if (k == 1) continue;
    if (llvm::Error error = expectShape(call, in[k], {in[0].shape[k - 2], 2}, "positions")) return error;
  }
  if (llvm::Error error = expectDType(call, y, in[0].dtype, "the result")) return error;
  return expectShape(call, y, in[0].shape, "the result");
}

llvm::Error checkSoftmax(const KernelCall &call) {
  if (call.args.operands[0].shape.empty()) return mistake(call, "its operand is a scalar");
  return checkSame(call);
}

llvm::Error checkLogSumExp(const KernelCall &call) {
  const TensorArg &x = call.args.operands[0];
  if (x.shape.empty()) return mistake(call, "its operand is a scalar");
  Shape rows = x.shape;
  rows.back() = 1;
  if (llvm::Error error = expectDType(call, call.args.results[0], x.dtype, "the result")) return error;
  return expectShape(call, call.args.results[0], rows, "the result");
}

/// Forward (x, scale [, bias]) -> (y, statistics..), backward (x, scale, statistics.., dy) -> (dx, dscale [, dbias]).
llvm::Error checkNorm(const KernelCall &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  if (in[0].shape.empty()) return mistake(call, "its operand is a scalar");
  const RowSizes rows = rowsOf(in[0]);
  const bool isGrad = call.kernel == KernelId::LayerNormGrad || call.kernel == KernelId::RmsNormGrad;
  auto check = [&](const TensorArg &tensor, bool isWhole, bool isStatistic, llvm::StringRef name) {
    if (llvm::Error error = expectDType(call, tensor, isStatistic ? DType::F32 : in[0].dtype, name)) return error;
    return expectElements(call, tensor, isWhole ? in[0].elements() : isStatistic ? rows.count : rows.width, name);
  };
  if (llvm::Error error = check(in[1], false, false, "scale")) return error;
  for (size_t i = 2; i < in.size(); ++i) {
    const bool isGradient = isGrad && i + 1 == in.size();
    if (llvm::Error error = check(in[i], isGradient, isGrad && !isGradient, "an operand")) return error;
  }
  for (size_t i = 0; i < out.size(); ++i)
    if (llvm::Error error = check(out[i], i == 0, i > 0 && !isGrad, "a result")) return error;
  return llvm::Error::success();
}

llvm::Error checkMask(const KernelCall &call, const TensorArg &mask) {
  const AttentionSizes z = attentionSizes(call);
  const int64_t wanted[] = {z.b, z.h, z.s, z.t};
  if (llvm::Error error = expectDType(call, mask, call.args.operands[0].dtype, "the mask")) return error;
  if (llvm::Error error = expectRank(call, mask, 4, "the mask [b, h, s, t]")) return error;
  for (size_t d = 0; d < 4; ++d)
    if (mask.shape[d] != 1 && mask.shape[d] != wanted[d])
      return mistake(call, "its mask does not broadcast to the scores");
  return llvm::Error::success();
}

/// (q, k, v [, mask]) -> (out, statistics), or (q, k, v, out, statistics, dout [, mask]) -> (dq, dk, dv).
llvm::Error checkAttention(const KernelCall &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  const bool isGrad = call.kernel == KernelId::AttentionGrad;
  if (llvm::Error error = expectCounts(call, isGrad ? 6 : 3, isGrad ? 7 : 4, isGrad ? 3 : 2)) return error;
  for (size_t i : {0u, 1u, 2u}) {
    if (llvm::Error error = expectDType(call, in[i], in[0].dtype, "q, k or v")) return error;
    if (llvm::Error error = expectRank(call, in[i], 4, "q, k or v")) return error;
  }
  const Shape &q = in[0].shape, &k = in[1].shape, &v = in[2].shape;
  if (k[0] != q[0] || v[0] != q[0] || v[1] != k[1] || v[2] != k[2] || k[3] != q[3] || (k[2] ? q[2] % k[2] : q[2]))
    return mistake(call, "q, k and v do not fit");
  if (const TensorArg *mask = attentionMask(call))
    if (llvm::Error error = checkMask(call, *mask)) return error;
  const AttentionSizes z = attentionSizes(call);
  const int64_t rows = z.b * z.s * z.h, keys = z.b * z.t * z.kv;
  auto check = [&](const TensorArg &tensor, int64_t elements) {
    const bool isStatistic = &tensor == &(isGrad ? in[4] : out[1]);
    if (llvm::Error error =
            expectDType(call, tensor, isStatistic ? DType::F32 : in[0].dtype, "out, statistics or a gradient"))
      return error;
    return expectElements(call, tensor, elements, "out, statistics or a gradient");
  };
  if (!isGrad) return firstError([&] { return check(out[0], rows * z.e); }, [&] { return check(out[1], 2 * rows); });
  return firstError([&] { return check(in[3], rows * z.e); }, [&] { return check(in[4], 2 * rows); },
                    [&] { return check(in[5], rows * z.e); }, [&] { return check(out[0], rows * z.d); },
                    [&] { return check(out[1], keys * z.d); }, [&] { return check(out[2], keys * z.e); });
}

llvm::Error checkRotary(const KernelCall &call) {
  const TensorArg &x = call.args.operands[0], &cosine = call.args.operands[1], &sine = call.args.operands[2];
  const TensorArg &y = call.args.results[0];
  for (const TensorArg *angles : {&cosine, &sine})
    if (llvm::Error error = expectDType(call, *angles, DType::F32, "cos or sin")) return error;
  if (llvm::Error error = expectDType(call, y, x.dtype, "the result")) return error;
  if (llvm::Error error = expectRank(call, x, 4, "x")) return error;
  const int64_t s = x.shape[1], d = x.shape[3];
  if (d % 2) return mistake(call, "the head dimension is odd");
  if (llvm::Error error = expectElements(call, cosine, s * (d / 2), "cos")) return error;
  if (llvm::Error error = expectElements(call, sine, s * (d / 2), "sin")) return error;
  return expectShape(call, y, x.shape, "the result");
}

/// Rows of f32 sums and of labels; the loss and the count.
llvm::Error expectLabels(const KernelCall &call, const TensorArg &labels, int64_t rows) {
  if (llvm::Error error = expectDType(call, labels, DType::I64, "labels")) return error;
  return expectElements(call, labels, rows, "labels");
}
llvm::Error expectSums(const KernelCall &call, const TensorArg &tensor, int64_t elements, llvm::StringRef name) {
  if (llvm::Error error = expectDType(call, tensor, DType::F32, name)) return error;
  return expectElements(call, tensor, elements, name);
}
llvm::Error expectLoss(const KernelCall &call, int64_t rows) {
  const auto &out = call.args.results;
  return firstError([&] { return expectSums(call, out[0], 1, "the loss"); },
                    [&] { return expectSums(call, out[1], 1, "the count"); },
                    [&] { return expectSums(call, out[2], rows, "lse"); });
}

llvm::Error checkCrossEntropy(const KernelCall &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  if (llvm::Error error = expectRank(call, in[0], 2, "logits [rows, classes]")) return error;
  const int64_t rows = in[0].shape[0];
  if (llvm::Error error = expectLabels(call, in[1], rows)) return error;
  if (call.kernel == KernelId::CrossEntropy) return expectLoss(call, rows);
  if (call.kernel == KernelId::CrossEntropyLocal)
    return firstError([&] { return expectSums(call, in[2], rows, "max"); },
                      [&] { return expectSums(call, out[0], 2 * rows, "the sums"); });
  return firstError([&] { return expectSums(call, in[2], rows, "lse"); },
                    [&] { return expectSums(call, in[3], 1, "dloss"); },
                    [&] { return expectDType(call, out[0], in[0].dtype, "dlogits"); },
                    [&] { return expectElements(call, out[0], in[0].elements(), "dlogits"); });
}

llvm::Error checkCrossEntropyFinish(const KernelCall &call) {
  const auto &in = call.args.operands;
  const int64_t rows = in[1].elements();
  return firstError([&] { return expectSums(call, in[0], 2 * rows, "sums"); },
                    [&] { return expectSums(call, in[1], rows, "max"); },
                    [&] { return expectLabels(call, in[2], rows); }, [&] { return expectLoss(call, rows); });
}

} // namespace

CallCheck rowCheckOf(KernelId kernel) {
  switch (kernel) {
  case KernelId::Dropout:
    return checkDropout;
  case KernelId::LogSoftmax:
  case KernelId::Softmax:
  case KernelId::SoftmaxGrad:
    return checkSoftmax;
  case KernelId::LogSumExp:
    return checkLogSumExp;
  case KernelId::LayerNorm:
  case KernelId::LayerNormGrad:
  case KernelId::RmsNorm:
  case KernelId::RmsNormGrad:
    return checkNorm;
  case KernelId::Attention:
  case KernelId::AttentionGrad:
    return checkAttention;
  case KernelId::Rotary:
    return checkRotary;
  case KernelId::CrossEntropy:
  case KernelId::CrossEntropyLocal:
  case KernelId::CrossEntropyGrad:
    return checkCrossEntropy;
  case KernelId::CrossEntropyFinish:
    return checkCrossEntropyFinish;
  default:
    return nullptr;
  }
}

} // namespace autotp

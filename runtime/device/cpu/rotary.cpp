/// \file Rotary position embedding on halves of the head dimension.
#include "runtime/device/checks.h"
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"

namespace autotp::cpu {

namespace {

void rotate(const float *x, const float *cosine, const float *sine, float *y, int64_t half, float sign) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float low = x[i], high = x[i + half], s = sign * sine[i];
    y[i] = low * cosine[i] - high * s;
    y[i + half] = high * cosine[i] + low * s;
  }
}

Prepared prepareRotary(Call call) {
  if (llvm::Error error = expectCounts(call, 3, 3, 1)) return error;
  const TensorArg &x = call.args.operands[0], &cosine = call.args.operands[1], &sine = call.args.operands[2];
  const TensorArg &y = call.args.results[0];
  if (llvm::Error error = expectF32(call, {&x, &cosine, &sine, &y})) return error;
  if (llvm::Error error = expectRank(call, x, 4, "x")) return error;
  const int64_t s = x.shape[1], h = x.shape[2], d = x.shape[3];
  if (d % 2) return mistake(call, "the head dimension is odd");
  if (llvm::Error error = expectElements(call, cosine, s * (d / 2), "cos")) return error;
  if (llvm::Error error = expectElements(call, sine, s * (d / 2), "sin")) return error;
  if (llvm::Error error = expectShape(call, y, x.shape, "the result")) return error;
  const float sign = call.args.attributes.integer("inverse") ? -1.0f : 1.0f;
  return ready([=, tokens = x.shape[0] * s, from = x.as<float>(), c = cosine.as<float>(), n = sine.as<float>(),
                to = y.as<float>(), threads = call.threads] {
    parallelFor(threads, tokens, h * d, [&](int64_t begin, int64_t end, int) {
      for (int64_t token = begin; token < end; ++token)
        for (int64_t head = 0; head < h; ++head) {
          const int64_t at = (token * h + head) * d, angle = token % s * (d / 2);
          rotate(from + at, c + angle, n + angle, to + at, d / 2, sign);
        }
    });
    return Status::Ok;
  });
}

constexpr KernelRow kRows[] = {{KernelId::Rotary, prepareRotary}};

} // namespace

std::span<const KernelRow> rotaryKernels() { return kRows; }

} // namespace autotp::cpu

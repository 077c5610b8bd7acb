/// \file Rotary position embedding on halves of the head dimension.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/storage.h"
#include "runtime/device/cpu/stored_as.h"

namespace autotp::cpu {

namespace {

template <typename S> void rotate(const S *x, const float *cosine, const float *sine, S *y, int64_t half, float sign) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float low = widened(x[i]), high = widened(x[i + half]), s = sign * sine[i];
    y[i] = Narrowed<S>::from(low * cosine[i] - high * s);
    y[i + half] = Narrowed<S>::from(high * cosine[i] + low * s);
  }
}

/// S is how what is rotated is stored.
template <typename S> Prepared rotaryOf(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  const int64_t s = x.shape[1], h = x.shape[2], d = x.shape[3];
  const float sign = call.args.attributes.integer("inverse") ? -1.0f : 1.0f;
  return ready([=, tokens = x.shape[0] * s, from = x.as<S>(), c = call.args.operands[1].as<float>(),
                n = call.args.operands[2].as<float>(), to = call.args.results[0].as<S>(), threads = call.threads] {
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

Prepared prepareRotary(const Call &call) {
  return asStored(call, [&](auto stored) { return rotaryOf<decltype(stored)>(call); });
}

constexpr KernelRow kRows[] = {{KernelId::Rotary, prepareRotary}};

} // namespace

std::span<const KernelRow> rotaryKernels() { return kRows; }

} // namespace autotp::cpu

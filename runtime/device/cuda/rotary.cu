/// \file Rotary position embedding (Su et al. 2021) on halves of the head dimension.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/stored_as.cuh"

namespace autotp::cuda {

namespace {

/// S is how what is rotated is stored.
template <typename S> struct Rotation {
  const S *x;
  const float *cosine, *sine;
  S *y;
  int64_t s, h, half, count; ///< count: pairs of elements
  float sign;
};

/// A thread turns V neighbouring pairs of one head.
template <typename S, int V> __global__ void rotaryKernel(Rotation<S> r) {
  const int64_t at = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (at >= r.count) return;
  const int64_t head = quotient(at, r.half), i = at - head * r.half, token = quotient(head, r.h);
  const int64_t angle = (token - quotient(token, r.s) * r.s) * r.half + i, from = head * 2 * r.half + i;
  using P = Pack<S, V>;
  using Angles = Pack<float, V>;
  const P lows = *reinterpret_cast<const P *>(r.x + from), highs = *reinterpret_cast<const P *>(r.x + from + r.half);
  const Angles c = *reinterpret_cast<const Angles *>(r.cosine + angle),
               n = *reinterpret_cast<const Angles *>(r.sine + angle);
  P a, b;
  for (int k = 0; k < V; ++k) {
    const float low = widened(lows.at[k]), high = widened(highs.at[k]), sine = r.sign * n.at[k];
    a.at[k] = Narrowed<S>::from(low * c.at[k] - high * sine);
    b.at[k] = Narrowed<S>::from(high * c.at[k] + low * sine);
  }
  *reinterpret_cast<P *>(r.y + from) = a;
  *reinterpret_cast<P *>(r.y + from + r.half) = b;
}

template <typename S> Prepared rotaryOf(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  const Rotation<S> r{x.as<S>(),
                      call.args.operands[1].as<float>(),
                      call.args.operands[2].as<float>(),
                      call.args.results[0].as<S>(),
                      x.shape[1],
                      x.shape[2],
                      x.shape[3] / 2,
                      x.elements() / 2,
                      call.args.attributes.integer("inverse") ? -1.0f : 1.0f};
  if (r.count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  constexpr size_t kBytes = 4 * sizeof(S);
  const bool fits = r.half % 4 == 0 && isAligned(r.x, kBytes) && isAligned(r.cosine, 16) && isAligned(r.sine, 16) &&
                    isAligned(r.y, kBytes);
  return ready([=, stream = call.stream()] {
    return fits ? launch(rotaryKernel<S, 4>, overItems(r.count / 4), stream, r)
                : launch(rotaryKernel<S, 1>, overItems(r.count), stream, r);
  });
}

Prepared prepareRotary(const Call &call) {
  return asStored(call, [&](auto stored) { return rotaryOf<decltype(stored)>(call); });
}

constexpr KernelRow kRows[] = {{KernelId::Rotary, prepareRotary}};

} // namespace

std::span<const KernelRow> rotaryKernels() { return kRows; }

} // namespace autotp::cuda

/// \file Rotary position embedding (Su et al. 2021) on halves of the head dimension.
#include "runtime/device/cuda/elementwise.cuh"

namespace autotp::cuda {

namespace {

struct Rotation {
  const float *x, *cosine, *sine;
  float *y;
  int64_t s, h, half, count; ///< count: pairs of elements
  float sign;
};

/// A thread turns V neighbouring pairs of one head.
template <int V> __global__ void rotaryKernel(Rotation r) {
  const int64_t at = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (at >= r.count) return;
  const int64_t head = quotient(at, r.half), i = at - head * r.half, token = quotient(head, r.h);
  const int64_t angle = (token - quotient(token, r.s) * r.s) * r.half + i, from = head * 2 * r.half + i;
  using P = Pack<float, V>;
  const P low = *reinterpret_cast<const P *>(r.x + from), high = *reinterpret_cast<const P *>(r.x + from + r.half),
          c = *reinterpret_cast<const P *>(r.cosine + angle), n = *reinterpret_cast<const P *>(r.sine + angle);
  P a, b;
  for (int k = 0; k < V; ++k) {
    const float sine = r.sign * n.at[k];
    a.at[k] = low.at[k] * c.at[k] - high.at[k] * sine;
    b.at[k] = high.at[k] * c.at[k] + low.at[k] * sine;
  }
  *reinterpret_cast<P *>(r.y + from) = a;
  *reinterpret_cast<P *>(r.y + from + r.half) = b;
}

Prepared prepareRotary(const Call &call) {
  if (llvm::Error error = expectCounts(call, 3, 3, 1)) return taken(error);
  const TensorArg &x = call.args.operands[0], &cosine = call.args.operands[1], &sine = call.args.operands[2];
  const TensorArg &y = call.args.results[0];
  if (llvm::Error error = expectF32(call, {&x, &cosine, &sine, &y})) return taken(error);
  if (llvm::Error error = expectRank(call, x, 4, "x")) return taken(error);
  const int64_t s = x.shape[1], h = x.shape[2], d = x.shape[3];
  if (d % 2) return mistake(call, "the head dimension is odd");
  if (llvm::Error error = expectElements(call, cosine, s * (d / 2), "cos")) return taken(error);
  if (llvm::Error error = expectElements(call, sine, s * (d / 2), "sin")) return taken(error);
  if (llvm::Error error = expectShape(call, y, x.shape, "the result")) return taken(error);
  const Rotation r{x.as<float>(),
                   cosine.as<float>(),
                   sine.as<float>(),
                   y.as<float>(),
                   s,
                   h,
                   d / 2,
                   x.elements() / 2,
                   call.args.attributes.integer("inverse") ? -1.0f : 1.0f};
  if (r.count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  const bool fits =
      r.half % 4 == 0 && isAligned(r.x, 16) && isAligned(r.cosine, 16) && isAligned(r.sine, 16) && isAligned(r.y, 16);
  return ready([=, stream = call.stream()] {
    return fits ? launch(rotaryKernel<4>, overItems(r.count / 4), stream, r)
                : launch(rotaryKernel<1>, overItems(r.count), stream, r);
  });
}

constexpr KernelRow kRows[] = {{KernelId::Rotary, prepareRotary}};

} // namespace

std::span<const KernelRow> rotaryKernels() { return kRows; }

} // namespace autotp::cuda

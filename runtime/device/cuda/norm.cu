/// \file Layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019) over the last dimension, in f32
/// whatever the rows are stored in.
#include "runtime/device/cuda/norm.h"
#include "runtime/device/cuda/row_kernels.cuh"
#include "runtime/device/cuda/stored_as.cuh"

namespace autotp::cuda {

llvm::Error checkNormOnCuda(const Call &call) {
  if (rowsOf(call.args.operands[0]).count > kMostBlocks) return mistake(call, "has more rows than a grid has blocks");
  return llvm::Error::success();
}

namespace {

template <typename S> struct Forward {
  const S *x;
  const float *scale, *bias; ///< bias, mean: layer norm's alone
  S *y;
  float *mean, *rstd;
  int64_t rows, n;
  float epsilon;
};

template <typename S, int Threads, int V, bool Centred>
__global__ void __launch_bounds__(blockThreads(Threads), 1) normKernel(Forward<S> f) {
  __shared__ float scratch[Threads / 32];
  const int64_t row = rowOfThread(), n = f.n;
  if (row >= f.rows) return;
  const S *x = f.x + row * n;
  float mean = 0, squares = 0;
  if constexpr (Centred) {
    forEachPack<Threads, V>(n, [&](int64_t i) {
      const auto a = packAt<V>(x, i);
      for (int k = 0; k < V; ++k)
        mean += a.at[k];
    });
    mean = joinThreads<Threads>(mean, Plus(), scratch) / float(n);
  }
  // A pass of its own: the difference of two large sums would lose what is left of a large mean.
  forEachPack<Threads, V>(n, [&](int64_t i) {
    const auto a = packAt<V>(x, i);
    for (int k = 0; k < V; ++k)
      squares += (a.at[k] - mean) * (a.at[k] - mean);
  });
  squares = joinThreads<Threads>(squares, Plus(), scratch);
  const float rstd = 1.0f / sqrtf(squares / float(n) + f.epsilon);
  forEachPack<Threads, V>(n, [&](int64_t i) {
    auto a = packAt<V>(x, i);
    const auto scale = packAt<V>(f.scale, i);
    for (int k = 0; k < V; ++k)
      a.at[k] = (a.at[k] - mean) * rstd * scale.at[k];
    if constexpr (Centred) {
      const auto bias = packAt<V>(f.bias, i);
      for (int k = 0; k < V; ++k)
        a.at[k] += bias.at[k];
    }
    setPack<V>(f.y + row * n, i, a);
  });
  if (threadIdx.x != 0) return;
  f.rstd[row] = rstd;
  if constexpr (Centred) f.mean[row] = mean;
}

template <bool Centred, typename S> Prepared start(const Call &call, const Forward<S> &f) {
  return withRowShape(f.rows, f.n, {f.x, f.scale, f.bias, f.y}, [&](auto threads, auto pack, LaunchShape shape) {
    constexpr int kThreads = decltype(threads)::value, kPack = decltype(pack)::value;
    return ready(
        [=, stream = call.stream()] { return launch(normKernel<S, kThreads, kPack, Centred>, shape, stream, f); });
  });
}

template <typename S> Prepared prepareFor(const Call &call) {
  const bool centred = call.kernel == KernelId::LayerNorm;
  const RowSizes r = rowsOf(call.args.operands[0]);
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  Forward<S> f{};
  f.x = in[0].as<S>();
  f.scale = in[1].as<float>();
  f.bias = centred ? in[2].as<float>() : nullptr;
  f.y = out[0].as<S>();
  f.mean = centred ? out[1].as<float>() : nullptr;
  f.rstd = out.back().as<float>();
  f.rows = r.count;
  f.n = r.width;
  f.epsilon = float(call.args.attributes.real("epsilon"));
  return centred ? start<true>(call, f) : start<false>(call, f);
}

Prepared prepareNorm(const Call &call) {
  if (llvm::Error error = checkNormOnCuda(call)) return taken(error);
  return asStored(call, [&](auto stored) { return prepareFor<decltype(stored)>(call); });
}

constexpr KernelRow kRows[] = {{KernelId::LayerNorm, prepareNorm}, {KernelId::RmsNorm, prepareNorm}};

} // namespace

std::span<const KernelRow> normKernels() { return kRows; }

} // namespace autotp::cuda

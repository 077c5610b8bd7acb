/// \file Softmax over the last dimension, its gradient, and the logarithm of what softmax divides by. One pass finds maximum and sum together (Milakov and
/// Gimelshein 2018), a second writes.
#include "runtime/device/cuda/groups.cuh"
#include "runtime/device/cuda/row_kernels.cuh"

namespace autotp::cuda {

namespace {

/// IsLog: its logarithm instead.
template <int Threads, int V, bool IsLog>
__global__ void __launch_bounds__(blockThreads(Threads), 1)
    softmaxKernel(const float *x, float *y, int64_t rows, int64_t n) {
  __shared__ MaxSum scratch[Threads / 32];
  const int64_t row = rowOfThread();
  if (row >= rows) return;
  x += row * n;
  y += row * n;
  MaxSum seen{-INFINITY, 0.0f};
  forEachPack<Threads, V>(n, [&](int64_t i) {
    const auto a = packAt<V>(x, i);
    for (int k = 0; k < V; ++k)
      seen.add(a.at[k]);
  });
  seen = joinThreads<Threads>(seen, JoinMaxSum(), scratch);
  const float scale = IsLog ? logf(seen.total) : 1.0f / seen.total;
  forEachPack<Threads, V>(n, [&](int64_t i) {
    auto a = packAt<V>(x, i);
    for (int k = 0; k < V; ++k)
      a.at[k] = IsLog ? a.at[k] - seen.most - scale : expf(a.at[k] - seen.most) * scale;
    setPack<V>(y, i, a);
  });
}

/// A row to which nothing arrives gives nothing, even where y is NaN.
template <int Threads, int V>
__global__ void __launch_bounds__(blockThreads(Threads), 1)
    softmaxGradKernel(const float *y, const float *dy, float *dx, int64_t rows, int64_t n) {
  __shared__ float scratch[Threads / 32];
  const int64_t row = rowOfThread();
  if (row >= rows) return;
  y += row * n;
  dy += row * n;
  dx += row * n;
  float total = 0;
  forEachPack<Threads, V>(n, [&](int64_t i) {
    const auto a = packAt<V>(y, i), b = packAt<V>(dy, i);
    for (int k = 0; k < V; ++k)
      total += b.at[k] == 0.0f ? 0.0f : a.at[k] * b.at[k];
  });
  total = joinThreads<Threads>(total, Plus(), scratch);
  forEachPack<Threads, V>(n, [&](int64_t i) {
    auto a = packAt<V>(y, i);
    const auto b = packAt<V>(dy, i);
    for (int k = 0; k < V; ++k) {
      const float slope = b.at[k] - total;
      a.at[k] = slope == 0.0f ? 0.0f : a.at[k] * slope;
    }
    setPack<V>(dx, i, a);
  });
}

template <int Threads, int V>
__global__ void __launch_bounds__(blockThreads(Threads), 1)
    logSumExpKernel(const float *x, float *y, int64_t rows, int64_t n) {
  __shared__ MaxSum scratch[Threads / 32];
  const int64_t row = rowOfThread();
  if (row >= rows) return;
  x += row * n;
  MaxSum seen{-INFINITY, 0.0f};
  forEachPack<Threads, V>(n, [&](int64_t i) {
    const auto a = packAt<V>(x, i);
    for (int k = 0; k < V; ++k)
      seen.add(a.at[k]);
  });
  seen = joinThreads<Threads>(seen, JoinMaxSum(), scratch);
  if (threadIdx.x != 0) return;
  const float shift = seen.most == -INFINITY ? 0.0f : seen.most; // of nothing but -infinity the total is 0
  y[row] = seen.most == INFINITY ? seen.most : shift + logf(seen.total);
}

Prepared prepareLogSumExp(const Call &call) {
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  const int64_t n = x.shape.back(), rows = y.elements();
  if (rows > kMostBlocks) return mistake(call, "has more rows than a grid has blocks");
  return withRowShape(rows, n, {x.data}, [&](auto threads, auto pack, LaunchShape shape) {
    constexpr int kThreads = decltype(threads)::value, kPack = decltype(pack)::value;
    return ready([=, from = x.as<float>(), to = y.as<float>(), stream = call.stream()] {
      return launch(logSumExpKernel<kThreads, kPack>, shape, stream, from, to, rows, n);
    });
  });
}

Prepared prepareSoftmax(const Call &call) {
  const bool gradient = call.kernel == KernelId::SoftmaxGrad, isLog = call.kernel == KernelId::LogSoftmax;
  const TensorArg &x = call.args.operands[0], &dy = call.args.operands.back(), &y = call.args.results[0];
  const int64_t n = rowsOf(x).width, rows = rowsOf(x).count;
  if (rows > kMostBlocks) return mistake(call, "has more rows than a grid has blocks");
  return withRowShape(rows, n, {x.data, dy.data, y.data}, [&](auto threads, auto pack, LaunchShape shape) {
    constexpr int kThreads = decltype(threads)::value, kPack = decltype(pack)::value;
    return ready([=, a = x.as<float>(), b = dy.as<float>(), to = y.as<float>(), stream = call.stream()] {
      if (gradient) return launch(softmaxGradKernel<kThreads, kPack>, shape, stream, a, b, to, rows, n);
      if (isLog) return launch(softmaxKernel<kThreads, kPack, true>, shape, stream, a, to, rows, n);
      return launch(softmaxKernel<kThreads, kPack, false>, shape, stream, a, to, rows, n);
    });
  });
}

constexpr KernelRow kRows[] = {{KernelId::LogSoftmax, prepareSoftmax},
                               {KernelId::LogSumExp, prepareLogSumExp},
                               {KernelId::Softmax, prepareSoftmax},
                               {KernelId::SoftmaxGrad, prepareSoftmax}};

} // namespace

std::span<const KernelRow> softmaxKernels() { return kRows; }

} // namespace autotp::cuda

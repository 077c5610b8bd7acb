/// \file Gradients of layer norm and RMS norm in one pass over the rows. A block takes every parts-th row and sums its
/// own d scale (and d bias); a second kernel adds the blocks' sums in order.
#include "runtime/device/cuda/norm.h"
#include "runtime/device/cuda/row_kernels.cuh"
#include "runtime/device/cuda/stored_as.cuh"
#include "runtime/plan/kernels/cuda_workspace.h"

namespace autotp::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostShared =
    64 << 10; ///< bytes of sums that a block holds in shared memory; more stay in the workspace

template <typename S> struct Backward {
  const S *x, *dy;
  const float *scale, *mean, *rstd; ///< mean: layer norm's alone
  S *dx;
  float *sums; ///< [parts, vectors, n]: d scale, d bias
  int64_t rows, n;
  bool holdsSums; ///< in shared memory
};

struct TwoSums {
  float sum, dot;
};
struct JoinTwo {
  __device__ TwoSums operator()(TwoSums a, TwoSums b) const { return {a.sum + b.sum, a.dot + b.dot}; }
};
__device__ inline TwoSums fromLane(TwoSums v, int mask) {
  return {cuda::fromLane(v.sum, mask), cuda::fromLane(v.dot, mask)};
}

/// A thread owns the same columns in every row, so sums need no exchange until the last kernel.
template <typename S, int V, bool Centred> __global__ void __launch_bounds__(kThreads) normGradKernel(Backward<S> b) {
  __shared__ TwoSums scratch[kThreads / 32];
  constexpr int kVectors = Centred ? 2 : 1;
  const int64_t n = b.n;
  float *own = b.sums + int64_t(blockIdx.x) * kVectors * n, *sums = b.holdsSums ? dynamicShared<float>() : own;
  forEachPack<kThreads, V>(n, [&](int64_t i) {
    for (int v = 0; v < kVectors; ++v)
      setPack<V>(sums + v * n, i, Pack<float, V>{});
  });
  for (int64_t row = blockIdx.x; row < b.rows; row += gridDim.x) {
    const S *x = b.x + row * n, *dy = b.dy + row * n;
    const float rstd = b.rstd[row];
    float mean = 0;
    if constexpr (Centred) mean = b.mean[row];
    TwoSums total{0, 0};
    forEachPack<kThreads, V>(n, [&](int64_t i) {
      const auto a = packAt<V>(x, i), g = packAt<V>(dy, i), s = packAt<V>(b.scale, i);
      auto dscale = packAt<V>(sums, i);
      for (int k = 0; k < V; ++k) {
        const float normal = (a.at[k] - mean) * rstd, scaled = g.at[k] * s.at[k];
        total.sum += scaled;
        total.dot += scaled * normal;
        dscale.at[k] += g.at[k] * normal;
      }
      setPack<V>(sums, i, dscale);
      if constexpr (Centred) {
        auto dbias = packAt<V>(sums + n, i);
        for (int k = 0; k < V; ++k)
          dbias.at[k] += g.at[k];
        setPack<V>(sums + n, i, dbias);
      }
    });
    total = joinThreads<kThreads>(total, JoinTwo(), scratch);
    const float sum = Centred ? total.sum / float(n) : 0.0f, dot = total.dot / float(n);
    forEachPack<kThreads, V>(n, [&](int64_t i) {
      auto a = packAt<V>(x, i);
      const auto g = packAt<V>(dy, i), s = packAt<V>(b.scale, i);
      for (int k = 0; k < V; ++k)
        a.at[k] = rstd * (g.at[k] * s.at[k] - sum - (a.at[k] - mean) * rstd * dot);
      setPack<V>(b.dx + row * n, i, a);
    });
  }
  if (b.holdsSums)
    forEachPack<kThreads, V>(n, [&](int64_t i) {
      for (int v = 0; v < kVectors; ++v)
        setPack<V>(own + v * n, i, packAt<V>(sums + v * n, i));
    });
}

constexpr int kColumns = 32, kColumnRows = 8;

/// to[v][i]: the sum over parts of sums[part][v][i]. 8 threads share a column.
__global__ void joinPartsKernel(const float *sums, float *dscale, float *dbias, int64_t parts, int64_t n) {
  __shared__ float scratch[kColumnRows][kColumns + 1];
  const int64_t i = int64_t(blockIdx.x) * kColumns + threadIdx.x;
  const int vectors = gridDim.y, v = blockIdx.y;
  float total = 0;
  for (int64_t part = threadIdx.y; part < parts && i < n; part += kColumnRows)
    total += sums[(part * vectors + v) * n + i];
  scratch[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y != 0 || i >= n) return;
  for (int row = 1; row < kColumnRows; ++row)
    total += scratch[row][threadIdx.x];
  (v == 0 ? dscale : dbias)[i] = total;
}

template <bool Centred, typename S> Prepared start(const Call &call, Backward<S> b, float *dscale, float *dbias) {
  constexpr int kVectors = Centred ? 2 : 1;
  const int64_t parts = cudaNormParts(b.rows), bytes = kVectors * b.n * int64_t(sizeof(float));
  b.holdsSums = bytes <= kMostShared;
  const LaunchShape rows{dim3(unsigned(parts)), dim3(kThreads), b.holdsSums ? size_t(bytes) : 0};
  const LaunchShape columns{dim3(unsigned((b.n + kColumns - 1) / kColumns), kVectors), dim3(kColumns, kColumnRows)};
  auto with = [&](auto kernel) -> Prepared {
    if (!allowShared(kernel, kMostShared)) return mistake(call, "this GPU has too little shared memory");
    return ready([=, stream = call.stream()] {
      const Status status = launch(kernel, rows, stream, b);
      return status == Status::Ok ? launch(joinPartsKernel, columns, stream, b.sums, dscale, dbias, parts, b.n)
                                  : status;
    });
  };
  if (fourFit(b.n, {b.x, b.scale, b.dy, b.dx, b.sums})) return with(normGradKernel<S, 4, Centred>);
  return with(normGradKernel<S, 1, Centred>);
}

template <typename S> Prepared prepareFor(const Call &call) {
  const bool centred = call.kernel == KernelId::LayerNormGrad;
  const RowSizes r = rowsOf(call.args.operands[0]);
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  Backward<S> b{};
  b.x = in[0].as<S>();
  b.scale = in[1].as<float>();
  b.mean = centred ? in[2].as<float>() : nullptr;
  b.rstd = in[centred ? 3 : 2].as<float>();
  b.dy = in.back().as<S>();
  b.dx = out[0].as<S>();
  b.sums = workspaceOf<float>(call);
  b.rows = r.count;
  b.n = r.width;
  if (centred) return start<true>(call, b, out[1].as<float>(), out[2].as<float>());
  return start<false>(call, b, out[1].as<float>(), nullptr);
}

Prepared prepareNormGrad(const Call &call) {
  if (llvm::Error error = checkNormOnCuda(call)) return taken(error);
  const RowSizes r = rowsOf(call.args.operands[0]);
  const int vectors = call.kernel == KernelId::LayerNormGrad ? 2 : 1;
  if (llvm::Error error = expectWorkspace(call, cudaNormGradBytes(r.count, r.width, vectors))) return taken(error);
  return asStored(call, [&](auto stored) { return prepareFor<decltype(stored)>(call); });
}

constexpr KernelRow kRows[] = {{KernelId::LayerNormGrad, prepareNormGrad}, {KernelId::RmsNormGrad, prepareNormGrad}};

} // namespace

std::span<const KernelRow> normGradKernels() { return kRows; }

} // namespace autotp::cuda

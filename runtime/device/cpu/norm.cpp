/// \file Layer and RMS norm over the last dimension, and their gradients, in f32 whatever the rows are stored in. Gradients of scale and bias are summed over
/// rows by thread into the workspace, then over threads in order.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/stored_as.h"

#include <cmath>
#include <cstring>

namespace autotp::cpu {

namespace {

template <typename S> Prepared layerNormOf(const Call &call) {
  const RowSizes r = rowsOf(call.args.operands[0]);
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  const float epsilon = float(call.args.attributes.real("epsilon"));
  return ready([=, x = in[0].as<S>(), scale = in[1].as<float>(), bias = in[2].as<float>(), y = out[0].as<S>(),
                mean = out[1].as<float>(), rstd = out[2].as<float>(), n = r.width, rows = r.count,
                threads = call.threads] {
    parallelFor(threads, rows, n, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        const S *a = x + row * n;
        S *b = y + row * n;
        float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; ++i)
          sum += widened(a[i]);
        const float m = sum / float(n);
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < n; ++i)
          squares += (widened(a[i]) - m) * (widened(a[i]) - m);
        const float s = 1.0f / std::sqrt(squares / float(n) + epsilon);
#pragma omp simd
        for (int64_t i = 0; i < n; ++i)
          b[i] = Narrowed<S>::from((widened(a[i]) - m) * s * scale[i] + bias[i]);
        mean[row] = m;
        rstd[row] = s;
      }
    });
    return Status::Ok;
  });
}

template <typename S> Prepared rmsNormOf(const Call &call) {
  const RowSizes r = rowsOf(call.args.operands[0]);
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  const float epsilon = float(call.args.attributes.real("epsilon"));
  return ready([=, x = in[0].as<S>(), scale = in[1].as<float>(), y = out[0].as<S>(), rstd = out[1].as<float>(),
                n = r.width, rows = r.count, threads = call.threads] {
    parallelFor(threads, rows, n, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        const S *a = x + row * n;
        S *b = y + row * n;
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < n; ++i)
          squares += widened(a[i]) * widened(a[i]);
        const float s = 1.0f / std::sqrt(squares / float(n) + epsilon);
#pragma omp simd
        for (int64_t i = 0; i < n; ++i)
          b[i] = Narrowed<S>::from(widened(a[i]) * s * scale[i]);
        rstd[row] = s;
      }
    });
    return Status::Ok;
  });
}

/// Runs body(row, partial sums of this thread) over all rows, then adds the threads' `vectors` rows of `n` in order.
template <typename Body>
void overRows(int threads, int64_t rows, int64_t n, int vectors, float *workspace, float *const *results, Body body) {
  std::memset(workspace, 0, size_t(threads) * size_t(vectors) * size_t(n) * sizeof(float));
  parallelFor(threads, rows, n * 4, [&](int64_t begin, int64_t end, int thread) {
    float *partial = workspace + int64_t(thread) * vectors * n;
    for (int64_t row = begin; row < end; ++row)
      body(row, partial);
  });
  for (int v = 0; v < vectors; ++v)
    for (int64_t i = 0; i < n; ++i) {
      float sum = 0;
      for (int t = 0; t < threads; ++t)
        sum += workspace[(int64_t(t) * vectors + v) * n + i];
      results[v][i] = sum;
    }
}

// One row of each gradient: functions of their own, since loops over what a closure holds are not made vectors.

/// Adds the row's share of dscale and dbias to `partial` [2, n].
template <typename S>
void layerNormGradRow(const S *a, const S *g, const float *scale, float mean, float rstd, int64_t n, S *b,
                      float *partial) {
  float sum = 0, dot = 0, *dscale = partial, *dbias = partial + n;
#pragma omp simd reduction(+ : sum, dot)
  for (int64_t i = 0; i < n; ++i) {
    const float arriving = widened(g[i]), normal = (widened(a[i]) - mean) * rstd, scaled = arriving * scale[i];
    sum += scaled;
    dot += scaled * normal;
    dscale[i] += arriving * normal;
    dbias[i] += arriving;
  }
  sum /= float(n);
  dot /= float(n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    b[i] = Narrowed<S>::from(rstd * (widened(g[i]) * scale[i] - sum - (widened(a[i]) - mean) * rstd * dot));
}

/// Adds the row's share of dscale to `partial` [n].
template <typename S>
void rmsNormGradRow(const S *a, const S *g, const float *scale, float rstd, int64_t n, S *b, float *partial) {
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t i = 0; i < n; ++i) {
    const float x = widened(a[i]), arriving = widened(g[i]);
    dot += arriving * scale[i] * x;
    partial[i] += arriving * x * rstd;
  }
  dot *= rstd * rstd / float(n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    b[i] = Narrowed<S>::from(rstd * (widened(g[i]) * scale[i] - widened(a[i]) * dot));
}

template <typename S> Prepared layerNormGradOf(const Call &call) {
  const RowSizes r = rowsOf(call.args.operands[0]);
  if (llvm::Error error = expectWorkspace(call, uint64_t(call.threads) * 2 * uint64_t(r.width) * sizeof(float)))
    return error;
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([x = in[0].as<S>(), scale = in[1].as<float>(), mean = in[2].as<float>(), rstd = in[3].as<float>(),
                dy = in[4].as<S>(), dx = out[0].as<S>(), dscale = out[1].as<float>(), dbias = out[2].as<float>(),
                n = r.width, rows = r.count, threads = call.threads,
                work = reinterpret_cast<float *>(call.args.workspace.data())] {
    float *results[2] = {dscale, dbias};
    overRows(threads, rows, n, 2, work, results, [&](int64_t row, float *partial) {
      layerNormGradRow(x + row * n, dy + row * n, scale, mean[row], rstd[row], n, dx + row * n, partial);
    });
    return Status::Ok;
  });
}

template <typename S> Prepared rmsNormGradOf(const Call &call) {
  const RowSizes r = rowsOf(call.args.operands[0]);
  if (llvm::Error error = expectWorkspace(call, uint64_t(call.threads) * uint64_t(r.width) * sizeof(float)))
    return error;
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([x = in[0].as<S>(), scale = in[1].as<float>(), rstd = in[2].as<float>(), dy = in[3].as<S>(),
                dx = out[0].as<S>(), dscale = out[1].as<float>(), n = r.width, rows = r.count, threads = call.threads,
                work = reinterpret_cast<float *>(call.args.workspace.data())] {
    overRows(threads, rows, n, 1, work, &dscale, [&](int64_t row, float *partial) {
      rmsNormGradRow(x + row * n, dy + row * n, scale, rstd[row], n, dx + row * n, partial);
    });
    return Status::Ok;
  });
}

constexpr KernelRow kRows[] = {
    {KernelId::LayerNorm,
     [](const Call &call) { return asStored(call, [&](auto s) { return layerNormOf<decltype(s)>(call); }); }},
    {KernelId::LayerNormGrad,
     [](const Call &call) { return asStored(call, [&](auto s) { return layerNormGradOf<decltype(s)>(call); }); }},
    {KernelId::RmsNorm,
     [](const Call &call) { return asStored(call, [&](auto s) { return rmsNormOf<decltype(s)>(call); }); }},
    {KernelId::RmsNormGrad,
     [](const Call &call) { return asStored(call, [&](auto s) { return rmsNormGradOf<decltype(s)>(call); }); }},
};

} // namespace

std::span<const KernelRow> normKernels() { return kRows; }

} // namespace autotp::cpu

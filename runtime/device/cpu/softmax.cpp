/// \file Softmax over the last dimension, its gradient, and the logarithm of what softmax divides by.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/row_math.h"

namespace autotp::cpu {

namespace {

void softmaxRow(const float *x, float *y, int64_t n) {
  const float most = maximumOf(x, n); // a row of -inf becomes NaN
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) {
    const float e = expOfDistance(x[i] - most);
    y[i] = e;
    total += e;
  }
  const float scale = 1.0f / total;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    y[i] *= scale;
}

/// Less the maximum first: a difference of large logarithms would lose digits.
void logSoftmaxRow(const float *x, float *y, int64_t n) {
  const float most = maximumOf(x, n);
  const float total = std::log(sumOfExp(x, n, most));
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    y[i] = x[i] - most - total;
}

/// A row to which nothing arrives gives nothing, even where y is NaN.
void softmaxGradRow(const float *y, const float *dy, float *dx, int64_t n) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i)
    total += dy[i] == 0.0f ? 0.0f : y[i] * dy[i];
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float slope = dy[i] - total;
    dx[i] = slope == 0.0f ? 0.0f : y[i] * slope;
  }
}

/// Of a row of nothing but -infinity that, and NaN where there is one.
float logSumExpOf(const float *x, int64_t n) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float most = maximumOf(x, n), shift = most == -kInfinity ? 0.0f : most;
  return most == kInfinity ? most : shift + std::log(sumOfExp(x, n, shift));
}

Prepared prepareLogSumExp(const Call &call) {
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  return ready(
      [n = x.shape.back(), rows = y.elements(), from = x.as<float>(), to = y.as<float>(), threads = call.threads] {
        parallelFor(threads, rows, n * 4, [&](int64_t begin, int64_t end, int) {
          for (int64_t row = begin; row < end; ++row)
            to[row] = logSumExpOf(from + row * n, n);
        });
        return Status::Ok;
      });
}

Prepared prepareSoftmax(const Call &call) {
  const bool gradient = call.kernel == KernelId::SoftmaxGrad, isLog = call.kernel == KernelId::LogSoftmax;
  const TensorArg &x = call.args.operands[0], &dy = call.args.operands.back(), &y = call.args.results[0];
  const int64_t n = rowsOf(x).width, rows = rowsOf(x).count;
  return ready([=, a = x.as<float>(), b = dy.as<float>(), to = y.as<float>(), threads = call.threads] {
    parallelFor(threads, rows, n * 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t at = begin * n; at < end * n; at += n) {
        if (gradient)
          softmaxGradRow(a + at, b + at, to + at, n);
        else if (isLog)
          logSoftmaxRow(a + at, to + at, n);
        else
          softmaxRow(a + at, to + at, n);
      }
    });
    return Status::Ok;
  });
}

constexpr KernelRow kRows[] = {{KernelId::LogSoftmax, prepareSoftmax},
                               {KernelId::LogSumExp, prepareLogSumExp},
                               {KernelId::Softmax, prepareSoftmax},
                               {KernelId::SoftmaxGrad, prepareSoftmax}};

} // namespace

std::span<const KernelRow> softmaxKernels() { return kRows; }

} // namespace autotp::cpu

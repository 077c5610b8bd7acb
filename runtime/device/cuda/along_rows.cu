/// \file Running sums along rows, and the largest elements of each: a thread a row, for rows are few or short where
/// models use these (masks, routers).
#include "runtime/device/cuda/kernel_table.h"

namespace autotp::cuda {

namespace {

constexpr int kThreads = 128;

/// Floats gather in double, as on every device.
template <typename T> struct Total { using Type = T; };
template <> struct Total<float> { using Type = double; };

template <typename T> __global__ void cumSumKernel(const T *x, T *y, int64_t rows, int64_t n, bool isReverse) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  typename Total<T>::Type sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = row * n + (isReverse ? n - 1 - i : i);
    sum += x[at];
    y[at] = static_cast<T>(sum);
  }
}

/// Whether x[a] comes before x[b]: larger first, NaN last, of equal ones the first.
template <typename T> __device__ bool isBefore(const T *x, int64_t a, int64_t b) {
  if (x[a] != x[b] && (x[a] == x[a] || x[b] == x[b])) return x[a] > x[b] || x[b] != x[b];
  return a < b;
}

template <typename T>
__global__ void topKKernel(const T *x, T *values, int64_t *indices, int64_t rows, int64_t n, int64_t k) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  x += row * n;
  values += row * k;
  indices += row * k; // the best so far, in order
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = count;
    while (at > 0 && isBefore(x, i, indices[at - 1]))
      --at;
    if (at == k) continue;
    if (count < k) ++count;
    for (int64_t j = count - 1; j > at; --j)
      indices[j] = indices[j - 1];
    indices[at] = i;
  }
  for (int64_t i = 0; i < k; ++i)
    values[i] = x[indices[i]];
}

LaunchShape threadARow(int64_t rows) { return {dim3(unsigned((rows + kThreads - 1) / kThreads)), dim3(kThreads)}; }

template <typename T> Prepared cumSumOf(const Call &call, int64_t rows, int64_t n) {
  const bool isReverse = call.args.attributes.integer("reverse");
  return ready([=, x = call.args.operands[0].as<T>(), y = call.args.results[0].as<T>(), stream = call.stream()] {
    return launch(cumSumKernel<T>, threadARow(rows), stream, x, y, rows, n, isReverse);
  });
}

template <typename T> Prepared topKOf(const Call &call, int64_t rows, int64_t n) {
  const int64_t k = call.args.results[0].shape.back();
  return ready([=, x = call.args.operands[0].as<T>(), values = call.args.results[0].as<T>(),
                indices = call.args.results[1].as<int64_t>(), stream = call.stream()] {
    return launch(topKKernel<T>, threadARow(rows), stream, x, values, indices, rows, n, k);
  });
}

Prepared prepareCumSum(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  const int64_t n = rowsOf(x).width, rows = rowsOf(x).count;
  if (rows == 0) return nothingToDo();
  switch (x.dtype) {
  case DType::F32:
    return cumSumOf<float>(call, rows, n);
  case DType::F64:
    return cumSumOf<double>(call, rows, n);
  case DType::I64:
    return cumSumOf<int64_t>(call, rows, n);
  case DType::I32:
    return cumSumOf<int32_t>(call, rows, n);
  default:
    return unsupported(call, x.dtype);
  }
}

Prepared prepareTopK(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  const int64_t n = rowsOf(x).width, rows = rowsOf(x).count;
  if (rows == 0) return nothingToDo();
  switch (x.dtype) {
  case DType::F32:
    return topKOf<float>(call, rows, n);
  case DType::F64:
    return topKOf<double>(call, rows, n);
  case DType::I64:
    return topKOf<int64_t>(call, rows, n);
  case DType::I32:
    return topKOf<int32_t>(call, rows, n);
  default:
    return unsupported(call, x.dtype);
  }
}

constexpr KernelRow kRows[] = {{KernelId::CumSum, prepareCumSum}, {KernelId::TopK, prepareTopK}};

} // namespace

std::span<const KernelRow> alongRowsKernels() { return kRows; }

} // namespace autotp::cuda

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

/// Which elements of rows of `n` the ids name, here being those from `offset`, of `all`.
template <typename Id> struct Picks {
  const Id *ids;
  int64_t rows, k, n, offset, all;

  __device__ bool isWithin(int64_t i) const { return ids[i] >= -all && ids[i] < all; }
  /// Where id `i` stands in its row; outside [0, n) where another rank has it.
  __device__ int64_t at(int64_t i) const { return (ids[i] < 0 ? int64_t(ids[i]) + all : int64_t(ids[i])) - offset; }
};

template <typename Id> Picks<Id> picksOf(const Call &call, const TensorArg &ids, const TensorArg &rows) {
  const int64_t n = rows.shape.back(), k = ids.shape.back(), offset = call.args.attributes.integer("offset");
  return {ids.as<Id>(), k ? ids.elements() / k : 0, k, n, offset, call.args.attributes.integer("rows", offset + n)};
}

template <typename Word, typename Id>
__global__ void gatherElementsKernel(const Word *x, Picks<Id> picks, Word *y, Failing outOfRange) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= picks.rows * picks.k) return;
  if (!picks.isWithin(i)) return outOfRange();
  const int64_t at = picks.at(i);
  y[i] = at >= 0 && at < picks.n ? x[i / picks.k * picks.n + at] : Word{};
}

/// A thread an element: it adds what its row's ids send it, in their order.
template <typename T, typename Id>
__global__ void scatterElementsKernel(Picks<Id> picks, const T *dy, T *dx, int64_t rows, Failing outOfRange) {
  const int64_t element = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (element >= rows * picks.n) return;
  const int64_t row = element / picks.n, own = element - row * picks.n;
  T sum = 0;
  for (int64_t i = row * picks.k; i < (row + 1) * picks.k; ++i) {
    if (!picks.isWithin(i)) return outOfRange();
    if (picks.at(i) == own) sum += dy[i];
  }
  dx[element] = sum;
}

template <typename Word, typename Id> Prepared gatherElementsOf(const Call &call) {
  const Picks<Id> picks = picksOf<Id>(call, call.args.operands[1], call.args.operands[0]);
  const int64_t count = picks.rows * picks.k;
  if (count == 0) return nothingToDo();
  return ready([=, x = call.args.operands[0].as<Word>(), y = call.args.results[0].as<Word>(),
                outOfRange = failing(call, Status::IndexOutOfRange), stream = call.stream()] {
    return launch(gatherElementsKernel<Word, Id>, overItems(count), stream, x, picks, y, outOfRange);
  });
}

template <typename T, typename Id> Prepared scatterElementsOf(const Call &call) {
  const TensorArg &x = call.args.results[0];
  const Picks<Id> picks = picksOf<Id>(call, call.args.operands[0], x);
  const int64_t count = x.elements();
  if (count == 0) return nothingToDo();
  if (count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  return ready([=, dy = call.args.operands[1].as<T>(), dx = x.as<T>(), rows = rowsOf(x).count,
                outOfRange = failing(call, Status::IndexOutOfRange), stream = call.stream()] {
    return launch(scatterElementsKernel<T, Id>, overItems(count), stream, picks, dy, dx, rows, outOfRange);
  });
}

Prepared prepareGatherElements(const Call &call) {
  const bool isWide = call.args.operands[1].dtype == DType::I64;
  return withWord(call.args.operands[0].dtype, [&](auto word) {
    return isWide ? gatherElementsOf<decltype(word), int64_t>(call) : gatherElementsOf<decltype(word), int32_t>(call);
  });
}

template <typename T> Prepared scatterElementsBy(const Call &call) {
  return call.args.operands[0].dtype == DType::I64 ? scatterElementsOf<T, int64_t>(call)
                                                   : scatterElementsOf<T, int32_t>(call);
}

Prepared prepareScatterElements(const Call &call) {
  const DType dtype = call.args.results[0].dtype;
  if (dtype == DType::F32) return scatterElementsBy<float>(call);
  if (dtype == DType::F64) return scatterElementsBy<double>(call);
  return unsupported(call, dtype);
}

constexpr KernelRow kRows[] = {{KernelId::CumSum, prepareCumSum},
                               {KernelId::GatherElements, prepareGatherElements},
                               {KernelId::ScatterElements, prepareScatterElements},
                               {KernelId::TopK, prepareTopK}};

} // namespace

std::span<const KernelRow> alongRowsKernels() { return kRows; }

} // namespace autotp::cuda

/// \file Sums and maxima over any axes. Neighbouring axes are merged at load; sums of f32 gather in f64. Few results
/// share their sums out over blocks that meet in the workspace.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/groups.cuh"
#include "runtime/plan/kernels/cuda_workspace.h"

#include <algorithm>
#include <limits>
#include <type_traits>

namespace autotp::cuda {

namespace {

/// Positions of the operand that are kept, or summed, as mixed-radix numbers; the last dimension counts fastest.
struct Positions {
  int dimensions = 0;
  int64_t size[kMostOuter], stride[kMostOuter];
  int64_t count = 1;

  __device__ int64_t at(int64_t index) const {
    int64_t offset = 0;
    for (int d = dimensions - 1; d > 0; --d) {
      const int64_t rest = quotient(index, size[d]);
      offset += (index - rest * size[d]) * stride[d];
      index = rest;
    }
    return dimensions ? offset + index * stride[0] : 0;
  }
};

struct Folding {
  Positions kept, summed;
  bool innerIsSummed = false;
};

llvm::Expected<Folding> fold(const Call &call, const std::vector<int64_t> &axes) {
  const ArgShape &shape = call.args.operands[0].shape;
  std::vector<std::pair<int64_t, bool>> parts; // size, whether it is summed
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool summed = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    if (!parts.empty() && (parts.back().second == summed || shape[i] == 1))
      parts.back().first *= shape[i];
    else
      parts.emplace_back(shape[i], summed);
  }
  Folding folding;
  int64_t stride = 1;
  for (const auto &part : parts)
    stride *= part.first;
  for (const auto &[size, summed] : parts) {
    Positions &to = summed ? folding.summed : folding.kept;
    if (to.dimensions == kMostOuter) return mistake(call, "alternates between more axes than this device can follow");
    stride = size ? stride / size : 0;
    to.size[to.dimensions] = size;
    to.stride[to.dimensions++] = stride;
    to.count *= size;
    folding.innerIsSummed = summed;
  }
  return folding;
}

template <typename T> struct Sum {
  using Total = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  __device__ static Total first() { return 0; }
  __device__ Total operator()(Total a, Total b) const { return a + b; }
};

template <typename T> struct Maximum {
  using Total = T;
  __device__ static T first() {
    if constexpr (std::is_floating_point_v<T>) return -T(INFINITY);
    return std::is_same_v<T, int32_t> ? T(INT32_MIN) : T(INT64_MIN);
  }
  __device__ T operator()(T a, T b) const { return b > a || b != b ? b : a; }
};

/// How many summed positions a part takes; part = blockIdx.y. Result (part, k) is at part * kept + k.
struct Parts {
  int64_t length;
};

/// Where the innermost axis is summed: Threads threads for a result, reading neighbouring elements.
template <typename In, typename Out, typename Rule, int Threads>
__global__ void reduceRuns(const In *x, Out *y, Positions kept, Positions summed, Parts parts) {
  __shared__ typename Rule::Total scratch[Threads / 32];
  const int64_t k = int64_t(blockIdx.x) * blockDim.y + threadIdx.y;
  if (k >= kept.count) return;
  const int64_t begin = blockIdx.y * parts.length, end = min(begin + parts.length, summed.count);
  const In *from = x + kept.at(k);
  typename Rule::Total total = Rule::first();
  for (int64_t s = begin + threadIdx.x; s < end; s += Threads)
    total = Rule()(total, from[summed.at(s)]);
  total = joinThreads<Threads>(total, Rule(), scratch);
  if (threadIdx.x == 0) y[blockIdx.y * kept.count + k] = static_cast<Out>(total);
}

constexpr int kColumns = 32, kColumnRows = 8;

/// Where the innermost axis is kept: a block for 32 neighbouring results, 8 threads for each.
template <typename In, typename Out, typename Rule>
__global__ void reduceColumns(const In *x, Out *y, Positions kept, Positions summed, Parts parts) {
  __shared__ typename Rule::Total scratch[kColumnRows][kColumns + 1];
  const int64_t k = int64_t(blockIdx.x) * kColumns + threadIdx.x;
  typename Rule::Total total = Rule::first();
  if (k < kept.count) {
    const int64_t begin = blockIdx.y * parts.length, end = min(begin + parts.length, summed.count);
    const In *from = x + kept.at(k);
    for (int64_t s = begin + threadIdx.y; s < end; s += kColumnRows)
      total = Rule()(total, from[summed.at(s)]);
  }
  scratch[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y != 0 || k >= kept.count) return;
  for (int row = 1; row < kColumnRows; ++row)
    total = Rule()(total, scratch[row][threadIdx.x]);
  y[blockIdx.y * kept.count + k] = static_cast<Out>(total);
}

template <typename In, typename Out, typename Rule>
Status reduceOnce(const Folding &f, int64_t parts, const In *x, Out *y, cudaStream_t stream) {
  const Parts by{(f.summed.count + parts - 1) / parts};
  const unsigned rows = unsigned(parts);
  const int64_t kept = f.kept.count;
  if (!f.innerIsSummed) {
    const LaunchShape shape{dim3(unsigned((kept + kColumns - 1) / kColumns), rows), dim3(kColumns, kColumnRows)};
    return launch(reduceColumns<In, Out, Rule>, shape, stream, x, y, f.kept, f.summed, by);
  }
  if (by.length <= 1024) {
    const LaunchShape shape{dim3(unsigned((kept + kRowsPerBlock - 1) / kRowsPerBlock), rows), dim3(32, kRowsPerBlock)};
    return launch(reduceRuns<In, Out, Rule, 32>, shape, stream, x, y, f.kept, f.summed, by);
  }
  return launch(reduceRuns<In, Out, Rule, 256>, {dim3(unsigned(kept), rows), dim3(256)}, stream, x, y, f.kept, f.summed,
                by);
}

/// The second stage: parts of each result, [parts, kept].
Folding overParts(int64_t parts, int64_t kept) {
  Folding f;
  f.kept.dimensions = f.summed.dimensions = 1;
  f.kept.size[0] = f.kept.count = kept;
  f.kept.stride[0] = 1;
  f.summed.size[0] = f.summed.count = parts;
  f.summed.stride[0] = kept;
  return f;
}

template <typename T, typename Rule> Prepared reduceBy(const Call &call) {
  using Total = typename Rule::Total;
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  llvm::Expected<Folding> f = fold(call, call.args.attributes.integers("axes"));
  if (!f) return f.takeError();
  const int64_t kept = f->kept.count, parts = cudaReduceParts(kept, f->summed.count);
  if (kept == 0) return nothingToDo();
  if (kept > kMostBlocks) return mistake(call, "has more results than a grid has blocks");
  if (llvm::Error error = expectWorkspace(call, cudaReduceBytes(kept, f->summed.count))) return taken(error);
  if (parts == 1)
    return ready([f = *f, from = x.as<T>(), to = y.as<T>(), stream = call.stream()] {
      return reduceOnce<T, T, Rule>(f, 1, from, to, stream);
    });
  return ready([f = *f, parts, second = overParts(parts, kept), from = x.as<T>(), to = y.as<T>(),
                totals = workspaceOf<Total>(call), stream = call.stream()] {
    const Status status = reduceOnce<T, Total, Rule>(f, parts, from, totals, stream);
    return status == Status::Ok ? reduceOnce<Total, T, Rule>(second, 1, totals, to, stream) : status;
  });
}

template <typename T> Prepared prepareFor(const Call &call) {
  return call.kernel == KernelId::ReduceSum ? reduceBy<T, Sum<T>>(call) : reduceBy<T, Maximum<T>>(call);
}

Prepared prepareReduce(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  switch (x.dtype) {
  case DType::F32:
    return prepareFor<float>(call);
  case DType::F64:
    return prepareFor<double>(call);
  case DType::I64:
    return prepareFor<int64_t>(call);
  case DType::I32:
    return prepareFor<int32_t>(call);
  default:
    return unsupported(call, x.dtype);
  }
}

constexpr KernelRow kRows[] = {{KernelId::ReduceSum, prepareReduce}, {KernelId::ReduceMax, prepareReduce}};

} // namespace

std::span<const KernelRow> reduceKernels() { return kRows; }

} // namespace autotp::cuda

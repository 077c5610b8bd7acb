/// \file Softmax cross-entropy over rows, whole or for one shard of the classes (Shoeybi et al. 2019, section 3). Sums
/// over rows are in a fixed order, in double.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/row_kernels.cuh"

namespace autotp::cuda {

namespace {

struct Logits {
  const float *x;
  const int64_t *labels;
  int64_t rows, classes, ignored;
  int64_t offset, all; ///< this rank holds classes [offset, offset + classes) of `all`
};

llvm::Expected<Logits> logitsOf(const Call &call) {
  const TensorArg &x = call.args.operands[0], &labels = call.args.operands[1];
  if (x.shape[0] > kMostBlocks) return mistake(call, "has more rows than a grid has blocks");
  const KernelAttributes &a = call.args.attributes;
  return Logits{x.as<float>(),
                labels.as<int64_t>(),
                x.shape[0],
                x.shape[1],
                a.integer("ignore_index", -100),
                a.integer("class_offset"),
                a.integer("classes", x.shape[1])};
}

/// Of each row the log-sum-exp (or, against given maxima, the sum of exponentials) and the logit of its label, 0 where
/// that is not here.
template <int Threads, int V, bool Whole>
__global__ void __launch_bounds__(blockThreads(Threads), 1)
    rowSumsKernel(Logits z, const float *most, float *sums, float *targets, Failing outOfRange) {
  __shared__ MaxSum seenScratch[Threads / 32];
  __shared__ float totalScratch[Threads / 32];
  const int64_t row = rowOfThread();
  if (row >= z.rows) return;
  const float *x = z.x + row * z.classes;
  float result;
  if constexpr (Whole) {
    MaxSum seen{-INFINITY, 0.0f};
    forEachPack<Threads, V>(z.classes, [&](int64_t i) {
      const auto a = packAt<V>(x, i);
      for (int k = 0; k < V; ++k)
        seen.add(a.at[k]);
    });
    seen = joinThreads<Threads>(seen, JoinMaxSum(), seenScratch);
    result = seen.most + logf(seen.total);
  } else {
    const float shift = most[row];
    float total = 0;
    forEachPack<Threads, V>(z.classes, [&](int64_t i) {
      const auto a = packAt<V>(x, i);
      for (int k = 0; k < V; ++k)
        total += expf(a.at[k] - shift);
    });
    result = joinThreads<Threads>(total, Plus(), totalScratch);
  }
  if (threadIdx.x != 0) return;
  sums[row] = result;
  const int64_t label = z.labels[row], local = label - z.offset;
  targets[row] = local >= 0 && local < z.classes ? x[local] : 0.0f;
  if (label != z.ignored && (label < 0 || label >= z.all)) outOfRange();
}

constexpr int kSumThreads = 256;

/// One block: the sum over rows that count of (lse - target), and how many they are. `most` null: `sums` is the lse.
__global__ void sumRowsKernel(const float *sums, const float *most, const float *targets, const int64_t *labels,
                              int64_t rows, int64_t ignored, float *loss, float *count, float *lse) {
  __shared__ double lossScratch[kSumThreads / 32];
  __shared__ int64_t countScratch[kSumThreads / 32];
  double total = 0;
  int64_t counted = 0;
  for (int64_t row = threadIdx.x; row < rows; row += kSumThreads) {
    const float own = most ? most[row] + logf(sums[row]) : sums[row];
    if (most) lse[row] = own;
    if (labels[row] == ignored) continue;
    total += double(own) - double(targets[row]);
    ++counted;
  }
  total = joinThreads<kSumThreads>(total, Plus(), lossScratch);
  counted = joinThreads<kSumThreads>(counted, Plus(), countScratch);
  if (threadIdx.x != 0) return;
  *loss = float(total);
  *count = float(counted);
}

Prepared prepareWhole(const Call &call) {
  llvm::Expected<Logits> z = logitsOf(call);
  if (!z) return z.takeError();
  if (llvm::Error error = expectWorkspace(call, uint64_t(z->rows) * sizeof(float))) return taken(error);
  z->offset = 0;
  z->all = z->classes;
  const auto &out = call.args.results;
  return withRowShape(z->rows, z->classes, {z->x}, [&](auto threads, auto pack, LaunchShape shape) {
    constexpr int kThreads = decltype(threads)::value, kPack = decltype(pack)::value;
    return ready([=, z = *z, loss = out[0].as<float>(), count = out[1].as<float>(), lse = out[2].as<float>(),
                  targets = workspaceOf<float>(call), outOfRange = failing(call, Status::IndexOutOfRange),
                  stream = call.stream()] {
      const float *none = nullptr;
      const Status status =
          launch(rowSumsKernel<kThreads, kPack, true>, shape, stream, z, none, lse, targets, outOfRange);
      if (status != Status::Ok) return status;
      return launch(sumRowsKernel, {dim3(1), dim3(kSumThreads)}, stream, lse, none, targets, z.labels, z.rows,
                    z.ignored, loss, count, lse);
    });
  });
}

Prepared prepareLocal(const Call &call) {
  llvm::Expected<Logits> z = logitsOf(call);
  if (!z) return z.takeError();
  const TensorArg &most = call.args.operands[2];
  z->all = call.args.attributes.integer("classes");
  return withRowShape(z->rows, z->classes, {z->x}, [&](auto threads, auto pack, LaunchShape shape) {
    constexpr int kThreads = decltype(threads)::value, kPack = decltype(pack)::value;
    return ready([=, z = *z, most = most.as<float>(), sums = call.args.results[0].as<float>(),
                  outOfRange = failing(call, Status::IndexOutOfRange), stream = call.stream()] {
      return launch(rowSumsKernel<kThreads, kPack, false>, shape, stream, z, most, sums, sums + z.rows, outOfRange);
    });
  });
}

Prepared prepareFinish(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  const int64_t rows = in[1].elements();
  return ready([rows, sums = in[0].as<float>(), most = in[1].as<float>(), labels = in[2].as<int64_t>(),
                loss = out[0].as<float>(), count = out[1].as<float>(), lse = out[2].as<float>(),
                ignored = call.args.attributes.integer("ignore_index", -100), stream = call.stream()] {
    return launch(sumRowsKernel, {dim3(1), dim3(kSumThreads)}, stream, sums, most, sums + rows, labels, rows, ignored,
                  loss, count, lse);
  });
}

/// A thread has V neighbouring logits of one row; `to` may be the logits.
template <int V>
__global__ void crossEntropyGradKernel(Logits z, const float *lse, const float *dloss, float *to, int64_t count) {
  const int64_t at = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  if (at >= count) return;
  const int64_t row = quotient(at, z.classes), column = at - row * z.classes, label = z.labels[row];
  const float scale = label == z.ignored ? 0.0f : *dloss, shift = lse[row];
  auto a = packAt<V>(z.x, at);
  for (int k = 0; k < V; ++k) {
    const float slope = scale * expf(a.at[k] - shift);
    a.at[k] = label - z.offset == column + k ? slope - scale : slope;
  }
  setPack<V>(to, at, a);
}

Prepared prepareGrad(const Call &call) {
  llvm::Expected<Logits> z = logitsOf(call);
  if (!z) return z.takeError();
  const TensorArg &lse = call.args.operands[2], &dloss = call.args.operands[3], &y = call.args.results[0];
  const int64_t count = z->rows * z->classes;
  if (count > kMostBlocks * 256) return mistake(call, "has more elements than a grid has threads");
  const bool fits = fourFit(z->classes, {z->x, y.data});
  return ready(
      [=, z = *z, lse = lse.as<float>(), dloss = dloss.as<float>(), to = y.as<float>(), stream = call.stream()] {
        return fits ? launch(crossEntropyGradKernel<4>, overItems(count / 4), stream, z, lse, dloss, to, count)
                    : launch(crossEntropyGradKernel<1>, overItems(count), stream, z, lse, dloss, to, count);
      });
}

constexpr KernelRow kRows[] = {{KernelId::CrossEntropy, prepareWhole},
                               {KernelId::CrossEntropyLocal, prepareLocal},
                               {KernelId::CrossEntropyFinish, prepareFinish},
                               {KernelId::CrossEntropyGrad, prepareGrad}};

} // namespace

std::span<const KernelRow> crossEntropyKernels() { return kRows; }

} // namespace autotp::cuda

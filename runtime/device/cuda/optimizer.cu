/// \file What runs on flat f32 buckets: accumulation, norm, and AdamW (Loshchilov and Hutter 2019) in one launch.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/row_kernels.cuh"
#include "runtime/plan/cuda_workspace.h"

namespace autotp::cuda {

namespace {

/// Borders of segments in this rank's elements [0, n): an element lies in a segment where an odd number of borders is
/// not past it. Empty segments, and segments of other ranks, leave none.
std::vector<int64_t> bordersOf(const Call &call, int64_t n) {
  const std::vector<int64_t> begins = call.args.attributes.integers("begins"),
                             ends = call.args.attributes.integers("ends");
  const int64_t first = call.args.attributes.integer("dp_slice") * call.args.dpRank;
  std::vector<int64_t> borders;
  for (size_t i = 0; i < begins.size() && i < ends.size(); ++i) {
    const int64_t begin = std::max<int64_t>(begins[i] - first, 0), end = std::min(ends[i] - first, n);
    if (begin >= end) continue;
    if (!borders.empty() && borders.back() == begin)
      borders.back() = end;
    else
      borders.insert(borders.end(), {begin, end});
  }
  return borders;
}

struct Segments {
  const int64_t *borders;
  int64_t count;

  /// Borders that are not past element `at`.
  __device__ int64_t before(int64_t at) const {
    int64_t low = 0, high = count;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (borders[middle] <= at)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
  __device__ bool hold(int64_t at) const { return before(at) % 2 == 1; }
};

llvm::Expected<Segments> segmentsOf(const Call &call, int64_t n) {
  const std::vector<int64_t> borders = bordersOf(call, n);
  llvm::Expected<const int64_t *> table = call.gpu.table(borders);
  if (!table) return table.takeError();
  return Segments{*table, int64_t(borders.size())};
}

struct SumOp : Elementwise<2, float> {
  __device__ float operator()(float a, float b) const { return a + b; }
};

Prepared prepareAccumulate(const Call &call) {
  if (llvm::Error error = expectCounts(call, 2, 2, 1)) return taken(error);
  const TensorArg &sum = call.args.operands[0], &x = call.args.operands[1], &y = call.args.results[0];
  if (llvm::Error error = expectF32(call, {&sum, &x, &y})) return taken(error);
  if (llvm::Error error = expectElements(call, x, sum.elements(), "x")) return taken(error);
  if (llvm::Error error = expectElements(call, y, sum.elements(), "the result")) return taken(error);
  RowShape shape{};
  shape.inner = shape.count = y.elements();
  shape.innerStride[0] = shape.innerStride[1] = 1;
  return mapRows(call, MapOperands<SumOp>{sum.as<float>(), x.as<float>(), nullptr, y.as<float>()}, shape, SumOp());
}

constexpr int kThreads = 256;

/// A block sums one tile, in double; `sums` has one number for each.
__global__ void squaresKernel(const float *x, int64_t n, Segments segments, double *sums) {
  __shared__ double scratch[kThreads / 32];
  const int64_t begin = int64_t(blockIdx.x) * kCudaSquaresTile, end = min(begin + kCudaSquaresTile, n);
  const int64_t first = segments.before(begin);
  const bool isUniform = first == segments.before(end - 1); // the whole tile is in, or out: the usual case
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    if (isUniform ? first % 2 == 0 : !segments.hold(i)) continue;
    sum += double(x[i]) * double(x[i]);
  }
  sum = joinThreads<kThreads>(sum, Plus(), scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// One block.
__global__ void joinSquaresKernel(const double *sums, int64_t tiles, float *to) {
  __shared__ double scratch[kThreads / 32];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < tiles; i += kThreads)
    sum += sums[i];
  sum = joinThreads<kThreads>(sum, Plus(), scratch);
  if (threadIdx.x == 0) *to = float(sum);
}

Prepared prepareSumSquares(const Call &call) {
  if (llvm::Error error = expectCounts(call, 1, 1, 1)) return taken(error);
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
  if (llvm::Error error = expectF32(call, {&x, &y})) return taken(error);
  if (llvm::Error error = expectElements(call, y, 1, "the result")) return taken(error);
  const int64_t n = x.elements(), tiles = (n + kCudaSquaresTile - 1) / kCudaSquaresTile;
  if (llvm::Error error = expectWorkspace(call, cudaSumSquaresBytes(n))) return taken(error);
  if (tiles > kMostBlocks) return mistake(call, "has more elements than a grid has blocks for");
  llvm::Expected<Segments> segments = segmentsOf(call, n);
  if (!segments) return segments.takeError();
  return ready([=, segments = *segments, from = x.as<float>(), to = y.as<float>(), sums = workspaceOf<double>(call),
                stream = call.stream()] {
    const Status status =
        launch(squaresKernel, {dim3(unsigned(tiles)), dim3(kThreads)}, stream, from, n, segments, sums);
    return status == Status::Ok ? launch(joinSquaresKernel, {dim3(1), dim3(kThreads)}, stream, sums, tiles, to)
                                : status;
  });
}

__global__ void gradScaleKernel(const float *squares, const float *count, float *scale, float *norm, double limit,
                                Failing noLabels) {
  if (*count == 0) {
    *scale = *norm = 0;
    noLabels();
    return;
  }
  const double n = double(*count), length = sqrt(double(*squares)) / n;
  *norm = float(length);
  *scale = float((limit > 0 && limit / (length + 1e-6) < 1.0 ? limit / (length + 1e-6) : 1.0) / n);
}

Prepared prepareGradScale(const Call &call) {
  if (llvm::Error error = expectCounts(call, 2, 2, 2)) return taken(error);
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  if (llvm::Error error = expectF32(call, {&in[0], &in[1], &out[0], &out[1]})) return taken(error);
  for (const TensorArg *t : {&in[0], &in[1], &out[0], &out[1]})
    if (llvm::Error error = expectElements(call, *t, 1, "an operand or result")) return taken(error);
  return ready([squares = in[0].as<float>(), count = in[1].as<float>(), scale = out[0].as<float>(),
                norm = out[1].as<float>(), limit = call.args.attributes.real("max_norm"),
                noLabels = failing(call, Status::NoValidLabels), stream = call.stream()] {
    return launch(gradScaleKernel, {dim3(1), dim3(1)}, stream, squares, count, scale, norm, limit, noLabels);
  });
}

struct Adam {
  float *p, *m, *v;
  const float *g, *scale, *lr, *step;
  double beta1, beta2, epsilon, decay;
  int64_t n;
};

constexpr int64_t kAdamTile = 4096; ///< elements of a block

/// torch's rule: decay first, epsilon outside the corrected root.
template <int V> __global__ void adamKernel(Adam t, Segments decaying) {
  __shared__ float stepSize, rootCorrection, keeping;
  if (threadIdx.x == 0) { // powers in double, once a block
    const double rate = double(*t.lr), step = double(*t.step);
    stepSize = float(rate / (1 - pow(t.beta1, step)));
    rootCorrection = float(1 / sqrt(1 - pow(t.beta2, step)));
    keeping = float(1 - rate * t.decay);
  }
  __syncthreads();
  if (*t.scale != *t.scale) return; // the step is skipped
  const float scale = *t.scale, beta1 = float(t.beta1), beta2 = float(t.beta2), epsilon = float(t.epsilon);
  const int64_t begin = int64_t(blockIdx.x) * kAdamTile, end = min(begin + kAdamTile, t.n);
  const int64_t first = decaying.before(begin);
  const bool isUniform = first == decaying.before(end - 1); // the whole tile decays, or none of it: the usual case
  for (int64_t i = begin + int64_t(threadIdx.x) * V; i < end; i += int64_t(kThreads) * V) {
    auto p = packAt<V>(t.p, i), m = packAt<V>(t.m, i), v = packAt<V>(t.v, i);
    const auto g = packAt<V>(t.g, i);
    for (int k = 0; k < V; ++k) {
      const bool decays = isUniform ? first % 2 == 1 : decaying.hold(i + k);
      const float slope = g.at[k] * scale;
      m.at[k] = beta1 * m.at[k] + (1.0f - beta1) * slope;
      v.at[k] = beta2 * v.at[k] + (1.0f - beta2) * slope * slope;
      p.at[k] = p.at[k] * (decays ? keeping : 1.0f) - stepSize * m.at[k] / (sqrtf(v.at[k]) * rootCorrection + epsilon);
    }
    setPack<V>(t.p, i, p);
    setPack<V>(t.m, i, m);
    setPack<V>(t.v, i, v);
  }
}

Prepared prepareAdamW(const Call &call) {
  if (llvm::Error error = expectCounts(call, 7, 7, 3)) return taken(error);
  const auto &in = call.args.operands;
  const int64_t n = in[0].elements();
  for (size_t k = 0; k < 7; ++k) {
    if (llvm::Error error = expectF32(call, {&in[k]})) return taken(error);
    if (llvm::Error error = expectElements(call, in[k], k < 4 ? n : 1, k < 4 ? "an operand" : "scale, lr or step"))
      return taken(error);
  }
  for (size_t k : {0u, 1u, 2u})
    if (call.args.results[k].data != in[k].data) return mistake(call, "it works in place only");
  const int64_t tiles = (n + kAdamTile - 1) / kAdamTile;
  if (tiles > kMostBlocks) return mistake(call, "has more elements than a grid has blocks for");
  llvm::Expected<Segments> segments = segmentsOf(call, n);
  if (!segments) return segments.takeError();
  const KernelAttributes &a = call.args.attributes;
  const Adam t{in[0].as<float>(), in[1].as<float>(), in[2].as<float>(),      in[3].as<float>(),
               in[4].as<float>(), in[5].as<float>(), in[6].as<float>(),      a.real("beta1"),
               a.real("beta2"),   a.real("epsilon"), a.real("weight_decay"), n};
  const LaunchShape shape{dim3(unsigned(tiles)), dim3(kThreads)};
  const bool fits = fourFit(n, {t.p, t.m, t.v, t.g});
  return ready([=, segments = *segments, stream = call.stream()] {
    return launch(fits ? adamKernel<4> : adamKernel<1>, shape, stream, t, segments);
  });
}

__global__ void lossScaleKernel(const float *scale, const float *norm, const float *step, float *toScale, float *toStep,
                                float *state, float window) {
  const bool isGood = *norm - *norm == 0;
  *toScale = isGood ? *scale : NAN;
  *toStep = *step - state[2];
  float lossScale = isGood ? state[0] : state[0] > 2 ? state[0] / 2 : 1.0f, good = isGood ? state[1] + 1 : 0.0f;
  if (!isGood) state[2] += 1;
  if (good >= window) {
    lossScale = lossScale * 2 < kLargestLossScale ? lossScale * 2 : kLargestLossScale;
    good = 0;
  }
  state[0] = lossScale;
  state[1] = good;
}

Prepared prepareLossScale(const Call &call) {
  if (llvm::Error error = checkLossScale(call)) return taken(error);
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([scale = in[1].as<float>(), norm = in[2].as<float>(), step = in[3].as<float>(),
                toScale = out[1].as<float>(), toStep = out[2].as<float>(), state = out[0].as<float>(),
                window = float(call.args.attributes.integer("window")), stream = call.stream()] {
    return launch(lossScaleKernel, {dim3(1), dim3(1)}, stream, scale, norm, step, toScale, toStep, state, window);
  });
}

constexpr KernelRow kRows[] = {{KernelId::Accumulate, prepareAccumulate},
                               {KernelId::SumSquares, prepareSumSquares},
                               {KernelId::GradScale, prepareGradScale},
                               {KernelId::AdamW, prepareAdamW},
                               {KernelId::LossScale, prepareLossScale}};

} // namespace

std::span<const KernelRow> optimizerKernels() { return kRows; }

} // namespace autotp::cuda

/// \file What runs on flat f32 buckets: accumulation, norm, and updates in one launch.
#include "runtime/device/cuda/elementwise.cuh"
#include "runtime/device/cuda/row_kernels.cuh"
#include "runtime/device/updates.h"
#include "runtime/plan/kernels/cuda_workspace.h"

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
  const TensorArg &sum = call.args.operands[0], &x = call.args.operands[1], &y = call.args.results[0];
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
  const TensorArg &x = call.args.operands[0], &y = call.args.results[0];
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
  const double kept = limit > 0 && limit / (length + 1e-6) < 1.0 ? limit / (length + 1e-6) : 1.0;
  *scale = std::isfinite(*norm) ? float(kept / n) : NAN;
}

Prepared prepareGradScale(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([squares = in[0].as<float>(), count = in[1].as<float>(), scale = out[0].as<float>(),
                norm = out[1].as<float>(), limit = call.args.attributes.real("max_norm"),
                noLabels = failing(call, Status::NoValidLabels), stream = call.stream()] {
    return launch(gradScaleKernel, {dim3(1), dim3(1)}, stream, squares, count, scale, norm, limit, noLabels);
  });
}

/// What an update reads and writes; only the first of the states are there where it has fewer.
template <typename Update> struct Updated {
  float *parameters, *states[2];
  const float *gradients, *scale, *lr, *count;
  Update update;
  int64_t n;
};

constexpr int64_t kUpdateTile = 4096; ///< elements of a block

template <typename Update, int V> __global__ void updateKernel(Updated<Update> t, Segments decaying) {
  constexpr int kStates = Update::kStates;
  __shared__ typename Update::Step steps[2]; // of elements that do not decay, and that do
  if (threadIdx.x < 2)                       // powers in double, once a block
    steps[threadIdx.x] = t.update.step(double(*t.lr), double(*t.count), threadIdx.x == 1);
  __syncthreads();
  if (*t.scale != *t.scale) return; // the step is skipped
  const float scale = *t.scale;
  const int64_t begin = int64_t(blockIdx.x) * kUpdateTile, end = min(begin + kUpdateTile, t.n);
  const int64_t first = decaying.before(begin);
  const bool isUniform = first == decaying.before(end - 1); // the whole tile decays, or none of it: the usual case
  for (int64_t i = begin + int64_t(threadIdx.x) * V; i < end; i += int64_t(kThreads) * V) {
    auto p = packAt<V>(t.parameters, i);
    const auto g = packAt<V>(t.gradients, i);
    Pack<float, V> s[2] = {};
    for (int j = 0; j < kStates; ++j)
      s[j] = packAt<V>(t.states[j], i);
    for (int k = 0; k < V; ++k) {
      const typename Update::Step &step = steps[(isUniform ? first % 2 == 1 : decaying.hold(i + k)) ? 1 : 0];
      if constexpr (kStates == 2) step(p.at[k], g.at[k] * scale, s[0].at[k], s[1].at[k]);
      if constexpr (kStates == 1) step(p.at[k], g.at[k] * scale, s[0].at[k]);
      if constexpr (kStates == 0) step(p.at[k], g.at[k] * scale);
    }
    setPack<V>(t.parameters, i, p);
    for (int j = 0; j < kStates; ++j)
      setPack<V>(t.states[j], i, s[j]);
  }
}

template <typename Update> Prepared prepareUpdate(const Call &call) {
  constexpr int kStates = Update::kStates;
  const auto &in = call.args.operands;
  const int64_t n = in[0].elements(), tiles = (n + kUpdateTile - 1) / kUpdateTile;
  if (tiles > kMostBlocks) return mistake(call, "has more elements than a grid has blocks for");
  llvm::Expected<Segments> segments = segmentsOf(call, n);
  if (!segments) return segments.takeError();
  Updated<Update> t{in[0].as<float>(),
                    {},
                    in[kStates + 1].as<float>(),
                    in[kStates + 2].as<float>(),
                    in[kStates + 3].as<float>(),
                    in[kStates + 4].as<float>(),
                    Update(call.args.attributes),
                    n};
  for (int k = 0; k < kStates; ++k)
    t.states[k] = in[size_t(k) + 1].as<float>();
  const LaunchShape shape{dim3(unsigned(tiles)), dim3(kThreads)};
  bool fits = fourFit(n, {t.parameters, t.gradients});
  for (int k = 0; k < kStates; ++k)
    fits = fits && fourFit(n, {t.states[k]});
  return ready([=, segments = *segments, stream = call.stream()] {
    return launch(fits ? updateKernel<Update, 4> : updateKernel<Update, 1>, shape, stream, t, segments);
  });
}

__global__ void lossScaleKernel(const float *scale, const float *norm, const float *step, float *toScale, float *toStep,
                                float *state, LossScaleRules rules) {
  const bool isGood = *norm - *norm == 0;
  *toScale = isGood ? *scale : NAN;
  *toStep = *step - state[2];
  moveLossScale(state, isGood, rules);
}

Prepared prepareLossScale(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([scale = in[1].as<float>(), norm = in[2].as<float>(), step = in[3].as<float>(),
                toScale = out[1].as<float>(), toStep = out[2].as<float>(), state = out[0].as<float>(),
                rules = lossScaleRules(call.args.attributes), stream = call.stream()] {
    return launch(lossScaleKernel, {dim3(1), dim3(1)}, stream, scale, norm, step, toScale, toStep, state, rules);
  });
}

constexpr KernelRow kRows[] = {{KernelId::Accumulate, prepareAccumulate},
                               {KernelId::SumSquares, prepareSumSquares},
                               {KernelId::GradScale, prepareGradScale},
                               {KernelId::Adam, prepareUpdate<AdamUpdate>},
                               {KernelId::LossScale, prepareLossScale},
                               {KernelId::Adagrad, prepareUpdate<AdagradUpdate>},
                               {KernelId::Momentum, prepareUpdate<MomentumUpdate>},
                               {KernelId::Sgd, prepareUpdate<SgdUpdate>}};

} // namespace

std::span<const KernelRow> optimizerKernels() { return kRows; }

} // namespace autotp::cuda

/// \file Attention, after FlashAttention-2 (Dao 2023): a block has 64 queries of one head, keys pass by in tiles, and
/// each row's maximum, sum and output are put right as they grow (Milakov and Gimelshein 2018). Scores never leave the
/// chip.
#include "runtime/device/cuda/attention_tiles.cuh"
#include "runtime/device/cuda/groups.cuh"

#include <algorithm>

namespace autotp::cuda {

constexpr int64_t kWidestHead = 256, kLongestSequence = INT32_MAX / 2;

bool areVectors(std::initializer_list<const void *> pointers, const AttentionProblem &p) {
  return p.d % 4 == 0 && p.e % 4 == 0 &&
         std::all_of(pointers.begin(), pointers.end(), [](const void *at) { return isAligned(at, 16); });
}

llvm::Expected<AttentionProblem> attentionProblem(const Call &call) {
  const auto &in = call.args.operands;
  AttentionProblem p{};
  static_cast<AttentionSizes &>(p) = attentionSizes(call);
  if (std::max(p.d, p.e) > kWidestHead)
    return mistake(call, "has heads of " + llvm::Twine(std::max(p.d, p.e)) + ", and the cuda device takes up to " +
                             llvm::Twine(kWidestHead));
  if (std::max(p.s, p.t) > kLongestSequence) return mistake(call, "has a longer sequence than the cuda device takes");
  p.q = stored(in[0]);
  p.k = stored(in[1]);
  p.v = stored(in[2]);
  p.scale = float(call.args.attributes.real("scale", 1));
  p.isCausal = call.args.attributes.integer("causal");
  p.replaces = call.args.attributes.integer("replaces");
  if (const TensorArg *mask = attentionMask(call)) {
    p.mask = mask->as<float>();
    llvm::copy(maskStrides(*mask), p.maskStride);
  }
  return p;
}

namespace {

template <int D> constexpr size_t sharedFloats() {
  return size_t(Tile<D>::owned + 2 * kStreamed) * Tile<D>::pitch + size_t(Tile<D>::owned) * Tile<D>::scorePitch;
}

/// What a row has seen so far; equal in its 16 lanes.
template <int D> struct RowStates { float most[Tile<D>::rows], total[Tile<D>::rows]; };

/// Takes a tile's scores in: probabilities, not yet divided, go to `weights`; sums before are put right.
template <int D, bool IsMasked>
__device__ __forceinline__ void takeScores(const AttentionProblem &p, const Head &head, int query0, int key0,
                                           float (&scores)[Tile<D>::rows][Tile<D>::columns], RowStates<D> &state,
                                           Rows<D> &out, float *weights) {
#pragma unroll
  for (int r = 0; r < Tile<D>::rows; ++r) {
    const int row = tileRow() + kSide * r;
    float most = state.most[r], sum = 0;
#pragma unroll
    for (int c = 0; c < Tile<D>::columns; ++c) {
      scores[r][c] = scoreOf<IsMasked>(p, head, query0 + row, key0 + tileColumn() + kSide * c, scores[r][c]);
      most = fmaxf(most, scores[r][c]);
    }
    most = joinRow(most, Larger());
    const float shift = most == -INFINITY ? 0.0f : most; // nothing seen yet: every exponential is 0
#pragma unroll
    for (int c = 0; c < Tile<D>::columns; ++c) {
      const float x = expf(scores[r][c] - shift);
      weights[row * Tile<D>::scorePitch + tileColumn() + kSide * c] = x;
      sum += x;
    }
    const float keep = expf(state.most[r] - shift);
    state.total[r] = state.total[r] * keep + joinRow(sum, Plus());
    state.most[r] = most;
#pragma unroll
    for (int k = 0; k < Tile<D>::packs; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        out[r][k].at[i] *= keep;
  }
}

template <int D, bool IsMasked>
__global__ void __launch_bounds__(kAttentionThreads, D == 64 || (D == 128 && !IsMasked) ? 2 : 1)
    attentionKernel(AttentionProblem p, StoredFloats out, float *statistics) {
  float *queries = dynamicShared<float>(), *keys = queries + Tile<D>::owned * Tile<D>::pitch,
        *values = keys + kStreamed * Tile<D>::pitch, *weights = values + kStreamed * Tile<D>::pitch;
  const int64_t tiles = (p.s + Tile<D>::owned - 1) / Tile<D>::owned, at = blockIdx.x, headAt = at / tiles;
  // With a causal mask later queries see more keys: those blocks start first, so that the last ones are short.
  const int query0 = int(tiles - 1 - (at - headAt * tiles)) * Tile<D>::owned, end = query0 + Tile<D>::owned;
  const Head head(p, headAt / p.h, headAt % p.h);
  loadTile<D, Tile<D>::owned>(queries, p.q, head.q(p), p.h * p.d, query0, int(p.s), int(p.d), p.vectors);
  RowStates<D> state;
#pragma unroll
  for (int r = 0; r < Tile<D>::rows; ++r) {
    state.most[r] = -INFINITY;
    state.total[r] = 0;
  }
  Rows<D> sum;
  clearRows<D>(sum);
  const int limit = keysFor(p, end < int(p.s) ? end : int(p.s));
  for (int key0 = 0; key0 < limit; key0 += kStreamed) {
    __syncthreads(); // the tiles before have been read
    loadTile<D, kStreamed>(keys, p.k, head.k(p), p.kv * p.d, key0, int(p.t), int(p.d), p.vectors);
    loadTile<D, kStreamed>(values, p.v, head.v(p), p.kv * p.e, key0, int(p.t), int(p.e), p.vectors);
    __syncthreads();
    float scores[Tile<D>::rows][Tile<D>::columns];
    dotTiles<D>(scores, queries, keys, int(p.d));
    takeScores<D, IsMasked>(p, head, query0, key0, scores, state, sum, weights);
    __syncwarp(); // a row's weights are written and read by the same half warp
    addProduct<D>(sum, weights, values);
  }
#pragma unroll
  for (int r = 0; r < Tile<D>::rows; ++r) {
    const int row = query0 + tileRow() + kSide * r;
    const float inverse = state.most[r] == -INFINITY ? 0.0f : 1.0f / state.total[r]; // a row that sees no key gives 0
#pragma unroll
    for (int k = 0; k < Tile<D>::packs; ++k)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        sum[r][k].at[i] *= inverse;
    if (tileColumn() == 0 && row < int(p.s)) {
      float *own = statistics + (headAt * p.s + row) * 2;
      own[0] = state.most[r];
      own[1] = state.most[r] == -INFINITY ? 0.0f : logf(state.total[r]);
    }
  }
  storeRows<D>(sum, out, head.out(p), p.h * p.e, query0, int(p.s), int(p.e), p.vectors);
}

template <int D, bool IsMasked>
Prepared start(const Call &call, const AttentionProblem &p, StoredFloats out, float *statistics) {
  const int64_t blocks = (p.s + Tile<D>::owned - 1) / Tile<D>::owned * p.b * p.h;
  const LaunchShape shape{dim3(unsigned(blocks)), dim3(kAttentionThreads), sharedFloats<D>() * sizeof(float)};
  if (blocks > kMostBlocks) return mistake(call, "has more tiles than a grid has blocks");
  if (!allowShared(attentionKernel<D, IsMasked>, shape.sharedBytes))
    return mistake(call, "this GPU has too little shared memory");
  return ready(
      [=, stream = call.stream()] { return launch(attentionKernel<D, IsMasked>, shape, stream, p, out, statistics); });
}

Prepared prepareAttention(const Call &call) {
  llvm::Expected<AttentionProblem> p = attentionProblem(call);
  if (!p) return p.takeError();
  const auto &results = call.args.results;
  const int64_t rows = p->b * p->s * p->h;
  if (rows == 0) return nothingToDo();
  const StoredFloats out = stored(results[0]);
  float *statistics = results[1].as<float>();
  p->vectors = areVectors({p->q.data, p->k.data, p->v.data, out.data}, *p);
  return withVariant(*p, [&](auto dimension, auto isMasked) {
    return start<decltype(dimension)::value, decltype(isMasked)::value>(call, *p, out, statistics);
  });
}

constexpr KernelRow kRows[] = {{KernelId::Attention, prepareAttention}};

} // namespace

std::span<const KernelRow> attentionKernels() { return kRows; }

} // namespace autotp::cuda

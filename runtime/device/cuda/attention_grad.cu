/// \file Attention's gradient, after FlashAttention-2 (Dao 2023), without its atomics: one kernel owns tiles of queries
/// and writes dq, another owns tiles of keys and writes dk and dv, each in a fixed order. Both compute the
/// probabilities again from the statistics of each row.
#include "runtime/device/cuda/attention_tiles.cuh"
#include "runtime/device/cuda/groups.cuh"

#include <algorithm>

namespace autotp::cuda {

namespace {

struct Backward {
  AttentionProblem p;
  StoredFloats out;
  const float *statistics;
  StoredFloats dOut;
  float *dots; ///< of each row of out with its gradient, [b, h, s]
  StoredFloats dq, dk, dv;
};

/// A warp for each row [b, s, h] of out.
__global__ void rowDotsKernel(Backward g, int64_t rows) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  float dot = 0;
  for (int64_t i = row * g.p.e + threadIdx.x; i < (row + 1) * g.p.e; i += 32)
    dot += g.out.at<1>(i).at[0] * g.dOut.at<1>(i).at[0];
  dot = joinWarp(dot, Plus());
  if (threadIdx.x != 0) return;
  const int64_t token = quotient(row, g.p.h), h = row - token * g.p.h, b = quotient(token, g.p.s);
  g.dots[(b * g.p.h + h) * g.p.s + token - b * g.p.s] = dot;
}

template <int D> constexpr size_t sharedFloats() {
  return size_t(2 * Tile<D>::owned + 2 * kStreamed) * Tile<D>::pitch + size_t(Tile<D>::owned) * Tile<D>::scorePitch;
}

/// The block's shared memory: two tiles that stay, two that pass by, and weights between them.
template <int D> struct Tiles {
  float *first, *second, *passing, *passingSecond, *weights;
  __device__ Tiles() {
    first = dynamicShared<float>();
    second = first + Tile<D>::owned * Tile<D>::pitch;
    passing = second + Tile<D>::owned * Tile<D>::pitch;
    passingSecond = passing + kStreamed * Tile<D>::pitch;
    weights = passingSecond + kStreamed * Tile<D>::pitch;
  }
};

template <int D> using Scores = float[Tile<D>::rows][Tile<D>::columns];

/// Of one score, its probability and the slope of the loss along it, from the product of dout and v.
struct Slopes {
  float probability, slope;
};
template <bool IsMasked>
__device__ __forceinline__ Slopes slopesOf(const Backward &g, const Head &head, int i, int j, float score,
                                           float slope) {
  score = scoreOf<IsMasked>(g.p, head, i, j, score);
  if (score == -INFINITY) return {0.0f, 0.0f};
  const int64_t row = (head.b * g.p.h + head.h) * g.p.s + i;
  const float most = g.statistics[2 * row], logarithm = g.statistics[2 * row + 1];
  const float probability = most == -INFINITY ? 0.0f : expf(score - most - logarithm);
  if constexpr (IsMasked)
    if (g.p.replaces && maskOf(g.p, head, i, j) <= float(kReplacingMask)) return {probability, 0.0f};
  return {probability, probability * (slope - g.dots[row]) * g.p.scale};
}

template <int D> __device__ __forceinline__ void setWeights(float *weights, const Scores<D> &scores) {
  __syncwarp(); // what stood there has been read
#pragma unroll
  for (int r = 0; r < Tile<D>::rows; ++r)
#pragma unroll
    for (int c = 0; c < Tile<D>::columns; ++c)
      weights[(tileRow() + kSide * r) * Tile<D>::scorePitch + tileColumn() + kSide * c] = scores[r][c];
  __syncwarp(); // a row's weights are written and read by the same half warp
}

/// A block owns a tile of queries of one head; keys and values pass by.
template <int D, bool IsMasked>
__global__ void __launch_bounds__(kAttentionThreads, D == 64 || (D == 128 && !IsMasked) ? 2 : 1)
    queryGradKernel(Backward g) {
  const AttentionProblem &p = g.p;
  const Tiles<D> tiles;
  const int64_t tilesOfHead = (p.s + Tile<D>::owned - 1) / Tile<D>::owned, at = blockIdx.x, headAt = at / tilesOfHead;
  // The longest start first.
  const int query0 = int(tilesOfHead - 1 - (at - headAt * tilesOfHead)) * Tile<D>::owned, end = query0 + Tile<D>::owned;
  const Head head(p, headAt / p.h, headAt % p.h);
  loadTile<D, Tile<D>::owned>(tiles.first, p.q, head.q(p), p.h * p.d, query0, int(p.s), int(p.d), p.vectors);
  loadTile<D, Tile<D>::owned>(tiles.second, g.dOut, head.out(p), p.h * p.e, query0, int(p.s), int(p.e), p.vectors);
  Rows<D> dq;
  clearRows<D>(dq);
  const int limit = keysFor(p, end < int(p.s) ? end : int(p.s));
  for (int key0 = 0; key0 < limit; key0 += kStreamed) {
    __syncthreads(); // the tiles before have been read
    loadTile<D, kStreamed>(tiles.passing, p.k, head.k(p), p.kv * p.d, key0, int(p.t), int(p.d), p.vectors);
    loadTile<D, kStreamed>(tiles.passingSecond, p.v, head.v(p), p.kv * p.e, key0, int(p.t), int(p.e), p.vectors);
    __syncthreads();
    Scores<D> scores, slopes;
    dotTiles<D>(scores, tiles.first, tiles.passing, int(p.d));
    dotTiles<D>(slopes, tiles.second, tiles.passingSecond, int(p.e));
#pragma unroll
    for (int r = 0; r < Tile<D>::rows; ++r)
#pragma unroll
      for (int c = 0; c < Tile<D>::columns; ++c)
        slopes[r][c] = slopesOf<IsMasked>(g, head, query0 + tileRow() + kSide * r, key0 + tileColumn() + kSide * c,
                                          scores[r][c], slopes[r][c])
                           .slope;
    setWeights<D>(tiles.weights, slopes);
    addProduct<D>(dq, tiles.weights, tiles.passing);
  }
  storeRows<D>(dq, g.dq, head.q(p), p.h * p.d, query0, int(p.s), int(p.d), p.vectors);
}

/// What a block that owns keys holds, and one head's queries.
template <int D> struct KeyGrad { Rows<D> dk, dv; };

template <int D, bool IsMasked>
__device__ __forceinline__ void passQueries(const Backward &g, const Tiles<D> &tiles, const Head &head, int key0,
                                            KeyGrad<D> &sums) {
  const AttentionProblem &p = g.p;
  const int hidden = p.isCausal ? key0 + int(p.s) - int(p.t) : 0; // queries before see none of these keys
  for (int query0 = hidden > 0 ? hidden / kStreamed * kStreamed : 0; query0 < int(p.s); query0 += kStreamed) {
    __syncthreads(); // the tiles before have been read
    loadTile<D, kStreamed>(tiles.passing, p.q, head.q(p), p.h * p.d, query0, int(p.s), int(p.d), p.vectors);
    loadTile<D, kStreamed>(tiles.passingSecond, g.dOut, head.out(p), p.h * p.e, query0, int(p.s), int(p.e), p.vectors);
    __syncthreads();
    Scores<D> scores, slopes;
    dotTiles<D>(scores, tiles.first, tiles.passing, int(p.d));
    dotTiles<D>(slopes, tiles.second, tiles.passingSecond, int(p.e));
#pragma unroll
    for (int r = 0; r < Tile<D>::rows; ++r)
#pragma unroll
      for (int c = 0; c < Tile<D>::columns; ++c) {
        const Slopes both = slopesOf<IsMasked>(g, head, query0 + tileColumn() + kSide * c, key0 + tileRow() + kSide * r,
                                               scores[r][c], slopes[r][c]);
        scores[r][c] = both.probability;
        slopes[r][c] = both.slope;
      }
    setWeights<D>(tiles.weights, scores);
    addProduct<D>(sums.dv, tiles.weights, tiles.passingSecond);
    setWeights<D>(tiles.weights, slopes);
    addProduct<D>(sums.dk, tiles.weights, tiles.passing);
  }
}

/// A block owns a tile of keys of one KV head; the queries of all heads that read it pass by, head after head.
template <int D, bool IsMasked>
__global__ void __launch_bounds__(kAttentionThreads, D == 64 && !IsMasked ? 2 : 1) keyGradKernel(Backward g) {
  const AttentionProblem &p = g.p;
  const Tiles<D> tiles;
  const int64_t tilesOfHead = (p.t + Tile<D>::owned - 1) / Tile<D>::owned, at = blockIdx.x, headAt = at / tilesOfHead;
  const int64_t b = headAt / p.kv, kvHead = headAt % p.kv;
  const int key0 = int(at - headAt * tilesOfHead) * Tile<D>::owned;
  const int64_t keys = (b * p.t * p.kv + kvHead) * p.d, values = (b * p.t * p.kv + kvHead) * p.e;
  loadTile<D, Tile<D>::owned>(tiles.first, p.k, keys, p.kv * p.d, key0, int(p.t), int(p.d), p.vectors);
  loadTile<D, Tile<D>::owned>(tiles.second, p.v, values, p.kv * p.e, key0, int(p.t), int(p.e), p.vectors);
  KeyGrad<D> sums;
  clearRows<D>(sums.dk);
  clearRows<D>(sums.dv);
  const int64_t group = p.h / p.kv;
  for (int64_t h = kvHead * group; h < (kvHead + 1) * group; ++h)
    passQueries<D, IsMasked>(g, tiles, Head(p, b, h), key0, sums);
  storeRows<D>(sums.dk, g.dk, keys, p.kv * p.d, key0, int(p.t), int(p.d), p.vectors);
  storeRows<D>(sums.dv, g.dv, values, p.kv * p.e, key0, int(p.t), int(p.e), p.vectors);
}

template <int D, bool IsMasked> Prepared start(const Call &call, const Backward &g) {
  const AttentionProblem &p = g.p;
  auto blocksOf = [](int64_t rows, int64_t heads) { return (rows + Tile<D>::owned - 1) / Tile<D>::owned * heads; };
  const int64_t rows = p.b * p.s * p.h, queryBlocks = blocksOf(p.s, p.b * p.h), keyBlocks = blocksOf(p.t, p.b * p.kv);
  if (std::max({rows, queryBlocks, keyBlocks}) > kMostBlocks)
    return mistake(call, "has more tiles than a grid has blocks");
  const size_t shared = sharedFloats<D>() * sizeof(float);
  if (!allowShared(queryGradKernel<D, IsMasked>, shared) || !allowShared(keyGradKernel<D, IsMasked>, shared))
    return mistake(call, "this GPU has too little shared memory");
  return ready([=, stream = call.stream()] {
    const dim3 threads(kAttentionThreads);
    const dim3 dotBlocks(unsigned((rows + kRowsPerBlock - 1) / kRowsPerBlock));
    Status status = launch(rowDotsKernel, {dotBlocks, dim3(32, kRowsPerBlock)}, stream, g, rows);
    if (status == Status::Ok)
      status = launch(queryGradKernel<D, IsMasked>, {dim3(unsigned(queryBlocks)), threads, shared}, stream, g);
    if (status == Status::Ok)
      status = launch(keyGradKernel<D, IsMasked>, {dim3(unsigned(keyBlocks)), threads, shared}, stream, g);
    return status;
  });
}

Prepared prepareAttentionGrad(const Call &call) {
  llvm::Expected<AttentionProblem> p = attentionProblem(call);
  if (!p) return p.takeError();
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  const int64_t rows = p->b * p->s * p->h;
  if (llvm::Error error = expectWorkspace(call, uint64_t(rows) * sizeof(float))) return taken(error);
  p->vectors = areVectors({p->q.data, p->k.data, p->v.data, in[5].data, out[0].data, out[1].data, out[2].data}, *p);
  const Backward g{*p,
                   stored(in[3]),
                   in[4].as<float>(),
                   stored(in[5]),
                   workspaceOf<float>(call),
                   stored(out[0]),
                   stored(out[1]),
                   stored(out[2])};
  return withVariant(*p, [&](auto dimension, auto isMasked) {
    return start<decltype(dimension)::value, decltype(isMasked)::value>(call, g);
  });
}

constexpr KernelRow kRows[] = {{KernelId::AttentionGrad, prepareAttentionGrad}};

} // namespace

std::span<const KernelRow> attentionGradKernels() { return kRows; }

} // namespace autotp::cuda

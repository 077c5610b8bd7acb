/// \file Attention and its gradient, by blocks of query rows: one block's scores at a time, never all of them.
/// After Dao et al. 2022 (the gradient recomputes the probabilities from the statistics of each row).
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/row_math.h"
#include "runtime/device/cpu/tile_product.h"
#include "runtime/plan/kernels/attention_workspace.h"

namespace autotp::cpu {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Problem {
  AttentionSizes z;
  const float *q, *k, *v, *mask = nullptr;
  std::array<int64_t, 4> maskStrides{}; ///< of [b, h, s, t]; 0 where it broadcasts
  float scale;
  bool isCausal, replaces;
  int threads;

  int64_t kvOf(int64_t head) const { return head / (z.h / z.kv); }
  const float *qAt(int64_t b, int64_t i, int64_t h) const { return q + ((b * z.s + i) * z.h + h) * z.d; }
  const float *kAt(int64_t b, int64_t h) const { return k + (b * z.t * z.kv + kvOf(h)) * z.d; }
  const float *vAt(int64_t b, int64_t h) const { return v + (b * z.t * z.kv + kvOf(h)) * z.e; }
  const float *maskRow(int64_t b, int64_t h, int64_t i) const {
    return mask ? mask + b * maskStrides[0] + h * maskStrides[1] + i * maskStrides[2] : nullptr;
  }
  /// Keys that some row of a block ending at row `end` may see; of a block of one row, the keys that it sees.
  int64_t keysFor(int64_t end) const { return isCausal ? std::clamp<int64_t>(end + z.t - z.s, 0, z.t) : z.t; }
  int64_t keysSeenBy(int64_t i) const { return keysFor(i + 1); }
  /// Whether the head before has other keys and values.
  bool isFirstOfGroup(int64_t head) const { return head % (z.h / z.kv) == 0; }
};

Problem problemOf(const Call &call) {
  const auto &in = call.args.operands;
  Problem p;
  p.z = attentionSizes(call);
  p.q = in[0].as<float>();
  p.k = in[1].as<float>();
  p.v = in[2].as<float>();
  p.scale = float(call.args.attributes.real("scale", 1));
  p.isCausal = call.args.attributes.integer("causal");
  p.replaces = call.args.attributes.integer("replaces");
  p.threads = call.threads;
  if (const TensorArg *mask = attentionMask(call)) {
    p.mask = mask->as<float>();
    p.maskStrides = maskStrides(*mask);
  }
  return p;
}

/// to[c, t] = scale * from[t, c], `from` with rows `stride` apart.
void packTransposed(const float *from, int64_t stride, int64_t rows, int64_t columns, float scale, float *to,
                    int64_t ld) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[c * ld + r] = scale * from[r * stride + c];
}

/// Rows of keys are walked over in whole vectors of so many floats, since a rest would take as long as all the others:
/// what lies past the last key is computed, too, and replaced.
constexpr int kLanes = 16;
int64_t wholeVectors(int64_t keys) { return (keys + kLanes - 1) / kLanes * kLanes; }

/// Masked scores of rows [i0, i1) against the keys that each sees, and anything for those of the other `keys`. The scale
/// is in `keysTransposed`.
void scoresOf(const Problem &p, int64_t b, int64_t h, int64_t i0, int64_t i1, int64_t keys, const float *keysTransposed,
              float *scores) {
  const int64_t ld = p.z.keyStride();
  tileProduct({p.qAt(b, i0, h), p.z.h * p.z.d, 1}, keysTransposed, ld, scores, ld, i1 - i0, wholeVectors(keys), p.z.d,
              false);
  for (int64_t i = i0; i < i1 && p.mask; ++i) {
    const float *mask = p.maskRow(b, h, i);
    float *row = scores + (i - i0) * ld;
    for (int64_t j = 0, seen = p.keysSeenBy(i); j < seen; ++j)
      row[j] += mask[j * p.maskStrides[3]];
  }
}

/// A score that the mask replaces has no slope.
void clearReplaced(const Problem &p, int64_t b, int64_t h, int64_t i, int64_t keys, float *slopes) {
  const float *mask = p.maskRow(b, h, i);
  for (int64_t j = 0; mask && j < keys; ++j)
    if (mask[j * p.maskStrides[3]] <= float(kReplacingMask)) slopes[j] = 0;
}

/// Makes the scores of a row, of which it sees `seen`, exponentials of their distances to the largest, and 0 for the
/// other keys. Returns the inverse of their sum, or 0 if it sees no key.
float exponentials(float *row, int64_t seen, int64_t keys, float *statistics) {
  const int64_t end = wholeVectors(seen);
  std::fill(row + seen, row + end, -kInfinity);
  const float most = maximumOf(row, end);
  const bool seesNothing = most == -kInfinity;
  const float shift = seesNothing ? 0.0f : most;
  float sums[kLanes] = {};
  for (int64_t j = 0; j < end; j += kLanes) {
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) {
      const float x = expOfDistance(row[j + l] - shift);
      row[j + l] = x;
      sums[l] += x;
    }
  }
  float total = 0;
  for (float sum : sums)
    total += sum;
  std::fill(row + end, row + std::max(keys, end), 0.0f);
  statistics[0] = most;
  statistics[1] = seesNothing ? 0.0f : std::log(total);
  return seesNothing ? 0.0f : 1.0f / total;
}

/// `packs`: the keys of this head are not those that `work` holds.
void forwardHead(const Problem &p, int64_t b, int64_t h, bool packs, float *work, float *out, float *statistics) {
  const int64_t ld = p.z.keyStride(), outStride = p.z.h * p.z.e;
  float *keysTransposed = work, *scores = work + p.z.d * ld, inverse[kAttentionRows];
  if (packs) packTransposed(p.kAt(b, h), p.z.kv * p.z.d, p.z.t, p.z.d, p.scale, keysTransposed, ld);
  for (int64_t i0 = 0; i0 < p.z.s; i0 += kAttentionRows) {
    const int64_t i1 = std::min(i0 + kAttentionRows, p.z.s), keys = p.keysFor(i1);
    scoresOf(p, b, h, i0, i1, keys, keysTransposed, scores);
    for (int64_t i = i0; i < i1; ++i)
      inverse[i - i0] =
          exponentials(scores + (i - i0) * ld, p.keysSeenBy(i), keys, statistics + ((b * p.z.h + h) * p.z.s + i) * 2);
    float *to = out + ((b * p.z.s + i0) * p.z.h + h) * p.z.e;
    tileProduct({scores, ld, 1}, p.vAt(b, h), p.z.kv * p.z.e, to, outStride, i1 - i0, p.z.e, keys, false);
    for (int64_t i = 0; i < i1 - i0; ++i)
#pragma omp simd
      for (int64_t e = 0; e < p.z.e; ++e)
        to[i * outStride + e] *= inverse[i];
  }
}

Prepared prepareAttention(const Call &call) {
  const Problem p = problemOf(call);
  if (llvm::Error error = expectWorkspace(call, attentionWorkspace(p.z, call.threads))) return error;
  return ready([p, out = call.args.results[0].as<float>(), statistics = call.args.results[1].as<float>(),
                work = reinterpret_cast<float *>(call.args.workspace.data())] {
    parallelFor(p.threads, p.z.b * p.z.h, p.z.s * p.z.t * p.z.d, [&](int64_t begin, int64_t end, int thread) {
      float *own = work + int64_t(thread) * p.z.forwardFloats();
      for (int64_t at = begin; at < end; ++at)
        forwardHead(p, at / p.z.h, at % p.z.h, at == begin || p.isFirstOfGroup(at % p.z.h), own, out, statistics);
    });
    return Status::Ok;
  });
}

struct Backward {
  const float *out, *statistics, *dOut;
  float *dq;
};

/// From the scores of a row and the gradients of its probabilities: the probabilities, and the gradients of the unscaled
/// scores. Both are 0 for keys that the row does not see. `dot`: of the row of the output with its gradient.
void scoreGradients(const Problem &p, const float *statistics, int64_t seen, int64_t keys, float dot, float *prob,
                    float *ds) {
  const bool seesNothing = statistics[0] == -kInfinity;
  const float most = seesNothing ? 0.0f : statistics[0], logarithm = statistics[1], scale = p.scale;
  const int64_t end = wholeVectors(seen);
  std::fill(prob + (seesNothing ? 0 : seen), prob + end, -kInfinity);
#pragma omp simd
  for (int64_t j = 0; j < end; ++j) {
    prob[j] = expOfDistance(prob[j] - most - logarithm);
    ds[j] = prob[j] * (ds[j] - dot) * scale;
  }
  std::fill(prob + end, prob + std::max(keys, end), 0.0f);
  std::fill(ds + end, ds + std::max(keys, end), 0.0f);
}

/// Adds this head's dK [t, d] and dV [t, e] into buffers of its own, and writes its dQ. `packs` as for forwardHead().
void backwardHead(const Problem &p, const Backward &g, int64_t b, int64_t h, bool packs, float *work, float *dk,
                  float *dv) {
  const int64_t ld = p.z.keyStride();
  float *keysTransposed = work, *valuesTransposed = keysTransposed + p.z.d * ld,
        *probabilities = valuesTransposed + p.z.e * ld, *dScores = probabilities + kAttentionRows * ld;
  if (packs) {
    packTransposed(p.kAt(b, h), p.z.kv * p.z.d, p.z.t, p.z.d, p.scale, keysTransposed, ld);
    packTransposed(p.vAt(b, h), p.z.kv * p.z.e, p.z.t, p.z.e, 1, valuesTransposed, ld);
  }
  std::fill_n(dk, p.z.t * p.z.d, 0.0f);
  std::fill_n(dv, p.z.t * p.z.e, 0.0f);
  for (int64_t i0 = 0; i0 < p.z.s; i0 += kAttentionRows) {
    const int64_t i1 = std::min(i0 + kAttentionRows, p.z.s), keys = p.keysFor(i1), rows = i1 - i0;
    const int64_t rowAt = ((b * p.z.s + i0) * p.z.h + h) * p.z.e, rowStride = p.z.h * p.z.e;
    scoresOf(p, b, h, i0, i1, keys, keysTransposed, probabilities);
    tileProduct({g.dOut + rowAt, rowStride, 1}, valuesTransposed, ld, dScores, ld, rows, wholeVectors(keys), p.z.e,
                false);
    for (int64_t i = 0; i < rows; ++i) {
      const float *o = g.out + rowAt + i * rowStride, *d = g.dOut + rowAt + i * rowStride;
      float *ds = dScores + i * ld, dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t e = 0; e < p.z.e; ++e)
        dot += o[e] * d[e];
      scoreGradients(p, g.statistics + ((b * p.z.h + h) * p.z.s + i0 + i) * 2, p.keysSeenBy(i0 + i), keys, dot,
                     probabilities + i * ld, ds);
      if (p.replaces) clearReplaced(p, b, h, i0 + i, p.keysSeenBy(i0 + i), ds);
    }
    tileProduct({dScores, ld, 1}, p.kAt(b, h), p.z.kv * p.z.d, g.dq + ((b * p.z.s + i0) * p.z.h + h) * p.z.d,
                p.z.h * p.z.d, rows, p.z.d, keys, false);
    tileProduct({dScores, 1, ld}, p.qAt(b, i0, h), p.z.h * p.z.d, dk, p.z.d, keys, p.z.d, rows, true);
    tileProduct({probabilities, 1, ld}, g.dOut + rowAt, rowStride, dv, p.z.e, keys, p.z.e, rows, true);
  }
}

/// Sums the buffers of the heads that share a KV head, in order of the heads.
void sumGroup(const AttentionSizes &z, int64_t b, int64_t kv, const float *perHead, int64_t width, float *to) {
  const int64_t group = z.h / z.kv;
  for (int64_t t = 0; t < z.t; ++t) {
    float *row = to + ((b * z.t + t) * z.kv + kv) * width;
    for (int64_t g = 0; g < group; ++g) {
      const float *from = perHead + ((b * z.h + kv * group + g) * z.t + t) * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        row[i] = g == 0 ? from[i] : row[i] + from[i];
    }
  }
}

Prepared prepareAttentionGrad(const Call &call) {
  const Problem p = problemOf(call);
  if (llvm::Error error = expectWorkspace(call, attentionGradWorkspace(p.z, call.threads))) return error;
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  Backward g{in[3].as<float>(), in[4].as<float>(), in[5].as<float>(), out[0].as<float>()};
  return ready([p, g, dk = out[1].as<float>(), dv = out[2].as<float>(),
                work = reinterpret_cast<float *>(call.args.workspace.data())] {
    const AttentionSizes &z = p.z;
    float *perHeadK = work + p.threads * z.backwardFloats(), *perHeadV = perHeadK + z.b * z.h * z.t * z.d;
    parallelFor(p.threads, z.b * z.h, z.s * z.t * z.d, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t at = begin; at < end; ++at)
        backwardHead(p, g, at / z.h, at % z.h, at == begin || p.isFirstOfGroup(at % z.h),
                     work + int64_t(thread) * z.backwardFloats(), perHeadK + at * z.t * z.d, perHeadV + at * z.t * z.e);
    });
    parallelFor(p.threads, z.b * z.kv, z.t * z.d, [&](int64_t begin, int64_t end, int) {
      for (int64_t at = begin; at < end; ++at) {
        sumGroup(z, at / z.kv, at % z.kv, perHeadK, z.d, dk);
        sumGroup(z, at / z.kv, at % z.kv, perHeadV, z.e, dv);
      }
    });
    return Status::Ok;
  });
}

constexpr KernelRow kRows[] = {{KernelId::Attention, prepareAttention},
                               {KernelId::AttentionGrad, prepareAttentionGrad}};

} // namespace

std::span<const KernelRow> attentionKernels() { return kRows; }

} // namespace autotp::cpu

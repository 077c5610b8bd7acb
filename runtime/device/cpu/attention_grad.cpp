/// \file The gradient of attention, by blocks of query rows and of keys, whose probabilities are computed anew from the
/// statistics of each row (Dao et al. 2022). A thread sums dK and dV of one KV head at a time, over all heads that share it.
#include "runtime/device/cpu/attention_problem.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/vector_math.h"

namespace autotp::cpu {

namespace {

template <typename S> struct Backward {
  AttentionProblem p;
  const S *q, *k, *v, *out, *dOut;
  const float *statistics;
  S *dQ, *dK, *dV;
  float *work;
};

/// A thread's part of the workspace.
struct Work {
  float *keyPanels, *valuePanels, *keys, *dK, *dV, *probabilities, *dScores, *queries, *dQ, *dOut;
};

/// Whether a part holds the first block of a KV head; else the head began in a part before. dK and dV of the two kinds lie
/// apart, since a part may hold the end of one head and the beginning of another.
enum class Holds { Beginning, Rest };

template <typename S> Work workOf(const Backward<S> &g, size_t part, Holds holds) {
  const AttentionSizes &z = g.p.z;
  float *at = g.work + int64_t(part) * z.backwardFloats();
  const auto take = [&](int64_t floats) { return std::exchange(at, at + floats); };
  Work w;
  w.keyPanels = take(z.paddedT() * z.d);
  w.valuePanels = take(z.paddedT() * z.e);
  w.keys = take(z.paddedT() * z.paddedD());
  w.probabilities = take(kQueryRows * kScoreStride);
  w.dScores = take(kQueryRows * kScoreStride);
  w.queries = take(kQueryRows * z.paddedD());
  w.dQ = take(kQueryRows * z.paddedD());
  w.dOut = take(kQueryRows * z.paddedE());
  w.dK = at + (holds == Holds::Rest ? z.kvGradFloats() : 0);
  w.dV = w.dK + z.paddedT() * z.paddedD();
  return w;
}

/// From the scores of a row and the gradients of its probabilities: the probabilities, and the gradients of the unscaled
/// scores. `n` is a multiple of kAttentionLanes. `dot`: of the row of the output with its gradient.
void scoreGradients(const float *statistics, float scale, float dot, int64_t n, float *prob, float *dScores) {
  const float most = statistics[0] == -kInfinity ? 0.0f : statistics[0], logarithm = statistics[1];
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    prob[j] = expOfDistance(prob[j] - most - logarithm);
    dScores[j] = prob[j] * (dScores[j] - dot) * scale;
  }
}

/// A score that the mask replaces has no slope.
void clearReplaced(const AttentionProblem &p, const QueryBlock &block, int64_t begin, int64_t keys, float *dScores) {
  for (int64_t r = 0; r < block.rows(); ++r) {
    const float *mask = p.maskRow(block, r, begin);
    for (int64_t j = 0; j < keys; ++j)
      if (mask[j * p.maskStrides[3]] <= float(kReplacingMask)) dScores[r * kScoreStride + j] = 0;
  }
}

template <typename S> void packBlock(const Backward<S> &g, const QueryBlock &block, const Work &w, float *dots) {
  const AttentionProblem &p = g.p;
  const int64_t rows = block.rows(), at = p.outputAt(block, 0), stride = p.z.h * p.z.e;
  packRows(g.q + p.queryAt(block, 0), p.z.h * p.z.d, rows, p.z.d, w.queries, p.z.paddedD());
  packRows(g.dOut + at, stride, rows, p.z.e, w.dOut, p.z.paddedE());
  std::fill_n(w.dQ, rows * p.z.paddedD(), 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    const S *out = g.out + at + r * stride;
    const float *dOut = w.dOut + r * p.z.paddedE();
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t e = 0; e < p.z.e; ++e)
      dot += widened(out[e]) * dOut[e];
    dots[r] = dot;
  }
}

/// Writes the dQ of a block, and adds what it gives to dK and dV of its KV head.
template <typename S> void runBlock(const Backward<S> &g, const QueryBlock &block, const Work &w) {
  const AttentionProblem &p = g.p;
  const int64_t rows = block.rows(), seen = p.keysFor(block.end), d = p.z.paddedD(), e = p.z.paddedE();
  float dots[kQueryRows];
  packBlock(g, block, w, dots);
  for (int64_t begin = 0; begin < seen; begin += kBlockKeys) {
    const int64_t keys = std::min(kBlockKeys, seen - begin);
    panelProduct({w.queries, d, 1}, rows, p.z.d, w.keyPanels, begin, keys, w.probabilities); // the scale is in the keys
    hideKeys(p, block, begin, keys, w.probabilities);
    panelProduct({w.dOut, e, 1}, rows, p.z.e, w.valuePanels, begin, keys, w.dScores);
    for (int64_t r = 0; r < rows; ++r)
      scoreGradients(g.statistics + p.statisticsAt(block, r), p.scale, dots[r], roundedUp(keys, kAttentionLanes),
                     w.probabilities + r * kScoreStride, w.dScores + r * kScoreStride);
    if (p.replaces) clearReplaced(p, block, begin, keys, w.dScores);
    tileProduct({w.dScores, kScoreStride, 1}, w.keys + begin * d, d, w.dQ, d, rows, d, keys, true);
    tileProduct({w.dScores, 1, kScoreStride}, w.queries, d, w.dK + begin * d, d, keys, d, rows, true);
    tileProduct({w.probabilities, 1, kScoreStride}, w.dOut, e, w.dV + begin * e, e, keys, e, rows, true);
  }
  for (int64_t r = 0; r < rows; ++r)
    storeRow(w.dQ + r * d, p.z.d, g.dQ + p.queryAt(block, r));
}

/// Writes keys [begin, end) of dK and dV of a KV head: the sum of what the parts `from` hold of them, in their order. The sum
/// is made where the first part holds its own.
template <typename S>
void storeKvGrad(const Backward<S> &g, int64_t group, llvm::ArrayRef<Work> from, int64_t begin, int64_t end) {
  const AttentionSizes &z = g.p.z;
  const auto summed = [&](int64_t n, float *const Work::*of, int64_t at) {
    float *sum = from[0].*of + at;
    for (const Work &other : from.drop_front())
      for (int64_t i = 0; i < n; ++i)
        sum[i] += (other.*of)[at + i];
    return sum;
  };
  for (int64_t t = begin; t < end; ++t) {
    const int64_t row = g.p.firstKeyRow(group) + t * z.kv;
    storeRow(summed(z.d, &Work::dK, t * z.paddedD()), z.d, g.dK + row * z.d);
    storeRow(summed(z.e, &Work::dV, t * z.paddedE()), z.e, g.dV + row * z.e);
  }
}

template <typename S> void runPart(const Backward<S> &g, size_t part) {
  const AttentionProblem &p = g.p;
  const int64_t each = p.blocksOfGroup(), end = p.parts[part].end;
  for (int64_t at = p.parts[part].begin; at < end;) {
    const int64_t group = at / each, first = group * each, last = first + each;
    const Work w = workOf(g, part, at == first ? Holds::Beginning : Holds::Rest);
    const S *k = g.k + p.firstKeyRow(group) * p.z.d, *v = g.v + p.firstKeyRow(group) * p.z.e;
    packPanels(k, p.z.kv * p.z.d, p.z.t, p.z.d, p.scale, w.keyPanels);
    packPanels(v, p.z.kv * p.z.e, p.z.t, p.z.e, 1, w.valuePanels);
    packRows(k, p.z.kv * p.z.d, p.z.t, p.z.d, w.keys, p.z.paddedD());
    std::fill_n(w.dK, p.z.kvGradFloats(), 0.0f);
    const bool holdsAll = at == first && end >= last;
    for (; at < std::min(end, last); ++at)
      runBlock(g, p.block(at), w);
    if (holdsAll) storeKvGrad<S>(g, group, w, 0, p.z.t);
  }
}

/// Writes dK and dV of the KV heads that several parts hold.
template <typename S> void storeShared(const Backward<S> &g) {
  const AttentionProblem &p = g.p;
  const int64_t each = p.blocksOfGroup();
  for (size_t part = 0; part < p.parts.size(); ++part) {
    const auto [begin, end] = p.parts[part];
    const int64_t group = end / each, last = (group + 1) * each;
    if (begin == end || end % each == 0 || begin > group * each) continue; // none begins here and goes on
    llvm::SmallVector<Work, 8> holders{workOf(g, part, Holds::Beginning)};
    for (size_t next = part + 1; next < p.parts.size() && p.parts[next].begin < last; ++next)
      if (p.parts[next].begin < p.parts[next].end) holders.push_back(workOf(g, next, Holds::Rest));
    parallelFor(p.threads, p.z.t, p.z.d + p.z.e,
                [&](int64_t from, int64_t to, int) { storeKvGrad<S>(g, group, holders, from, to); });
  }
}

template <typename S> Prepared prepareFor(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  Backward<S> g{AttentionProblem(call),
                in[0].as<S>(),
                in[1].as<S>(),
                in[2].as<S>(),
                in[3].as<S>(),
                in[5].as<S>(),
                in[4].as<float>(),
                out[0].as<S>(),
                out[1].as<S>(),
                out[2].as<S>(),
                reinterpret_cast<float *>(call.args.workspace.data())};
  const AttentionSizes z = g.p.z;
  if (llvm::Error error = expectWorkspace(call, attentionGradWorkspace(z, call.threads))) return error;
  if (z.b * z.s * z.h == 0) // no query gives a gradient to the keys
    return ready([g = std::move(g), z] {
      std::fill_n(g.dK, z.b * z.t * z.kv * z.d, S{});
      std::fill_n(g.dV, z.b * z.t * z.kv * z.e, S{});
      return Status::Ok;
    });
  return ready([g = std::move(g), z] {
    parallelFor(g.p.threads, g.p.threads, z.b * z.h * z.s * z.t * z.d, [&](int64_t begin, int64_t end, int) {
      for (int64_t part = begin; part < end; ++part)
        runPart(g, size_t(part));
    });
    storeShared(g);
    return Status::Ok;
  });
}

Prepared prepareAttentionGrad(const Call &call) {
  return asStored(call, [&](auto stored) { return prepareFor<decltype(stored)>(call); });
}

constexpr KernelRow kRows[] = {{KernelId::AttentionGrad, prepareAttentionGrad}};

} // namespace

std::span<const KernelRow> attentionGradKernels() { return kRows; }

} // namespace autotp::cpu

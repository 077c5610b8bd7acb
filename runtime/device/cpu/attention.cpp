/// \file Attention, by blocks of query rows and of keys: never all scores at a time. The sums of a row follow its largest
/// score as it grows (Milakov and Gimelshein 2018; Dao et al. 2022).
#include "runtime/device/cpu/attention_problem.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/cpu/row_math.h"

namespace autotp::cpu {

namespace {

/// Of the rows of a block, over the keys so far: the largest score, and the sum of the exponentials of the distances to it.
struct RowStates {
  float most[kQueryRows], total[kQueryRows];
};

/// What is taken from the scores of a row; 0 where it has seen no key.
float shiftOf(float most) { return most == -kInfinity ? 0.0f : most; }

/// Makes n scores, a multiple of kAttentionLanes, the exponentials of their distances to `shift`. Returns their sum.
float exponentials(float *row, int64_t n, float shift) {
  float sums[kAttentionLanes] = {};
  for (int64_t j = 0; j < n; j += kAttentionLanes) {
#pragma omp simd
    for (int l = 0; l < kAttentionLanes; ++l) {
      const float x = expOfDistance(row[j + l] - shift);
      row[j + l] = x;
      sums[l] += x;
    }
  }
  Vector total = loadVector(sums);
  for (int64_t l = kVectorLanes; l < kAttentionLanes; l += kVectorLanes)
    total += loadVector(sums + l);
  return foldedLanes(total, Sum());
}

/// Makes the scores of a block exponentials, and brings what `sums` [rows, width] and `states` have summed before to the
/// same scale. Row after row in each loop, so that rows do not wait for one another's maxima and sums.
void followMaxima(int64_t rows, int64_t keys, float *scores, RowStates &states, float *sums, int64_t width) {
  const int64_t end = roundedUp(keys, kAttentionLanes);
  float most[kQueryRows];
  for (int64_t r = 0; r < rows; ++r)
    most[r] = std::max(states.most[r], maximumOf(scores + r * kScoreStride, end));
  for (int64_t r = 0; r < rows; ++r) {
    if (most[r] == states.most[r]) continue;
    const float factor = expOfDistance(states.most[r] - shiftOf(most[r]));
    states.most[r] = most[r];
    states.total[r] *= factor;
    for (int64_t e = 0; e < width; ++e)
      sums[r * width + e] *= factor;
  }
  for (int64_t r = 0; r < rows; ++r)
    states.total[r] += exponentials(scores + r * kScoreStride, end, shiftOf(most[r]));
}

template <typename S> struct Forward {
  AttentionProblem p;
  const S *q, *k, *v;
  S *out;
  float *statistics;
};

/// A thread's part of the workspace.
struct Work {
  float *keys, *values, *queries, *scores, *sums;
  Work(const AttentionSizes &z, float *at)
      : keys(at), values(keys + z.paddedT() * z.d), queries(values + z.paddedT() * z.paddedE()),
        scores(queries + kQueryRows * z.paddedD()), sums(scores + kQueryRows * kScoreStride) {}
};

template <typename S>
void store(const Forward<S> &f, const QueryBlock &block, const RowStates &states, const float *sums) {
  for (int64_t r = 0; r < block.rows(); ++r) {
    const bool seesNothing = states.most[r] == -kInfinity;
    const float inverse = seesNothing ? 0.0f : 1.0f / states.total[r];
    const float *from = sums + r * f.p.z.paddedE();
    S *to = f.out + f.p.outputAt(block, r);
    float *statistics = f.statistics + f.p.statisticsAt(block, r);
#pragma omp simd
    for (int64_t e = 0; e < f.p.z.e; ++e)
      to[e] = Narrowed<S>::from(from[e] * inverse);
    statistics[0] = states.most[r];
    statistics[1] = seesNothing ? 0.0f : std::log(states.total[r]);
  }
}

template <typename S> void runBlock(const Forward<S> &f, const QueryBlock &block, const Work &work) {
  const AttentionProblem &p = f.p;
  const int64_t width = p.z.paddedE(), rows = block.rows(), seen = p.keysFor(block.end);
  packRows(f.q + p.queryAt(block, 0), p.z.h * p.z.d, rows, p.z.d, work.queries, p.z.paddedD());
  RowStates states;
  std::fill_n(states.most, rows, -kInfinity);
  std::fill_n(states.total, rows, 0.0f);
  std::fill_n(work.sums, rows * width, 0.0f);
  for (int64_t begin = 0; begin < seen; begin += kBlockKeys) {
    const int64_t keys = std::min(kBlockKeys, seen - begin);
    panelProduct({work.queries, p.z.paddedD(), 1}, rows, p.z.d, work.keys, begin, keys, work.scores); // scaled keys
    hideKeys(p, block, begin, keys, work.scores);
    followMaxima(rows, keys, work.scores, states, work.sums, width);
    tileProduct({work.scores, kScoreStride, 1}, work.values + begin * width, width, work.sums, width, rows, width, keys,
                true);
  }
  store(f, block, states, work.sums);
}

template <typename S> void runPart(const Forward<S> &f, BlockRange part, const Work &work) {
  const AttentionProblem &p = f.p;
  int64_t packed = -1;
  for (int64_t at = part.begin; at < part.end; ++at) {
    const QueryBlock block = p.block(at);
    if (block.group != packed) {
      const int64_t row = p.firstKeyRow(block.group);
      packPanels(f.k + row * p.z.d, p.z.kv * p.z.d, p.z.t, p.z.d, p.scale, work.keys);
      packRows(f.v + row * p.z.e, p.z.kv * p.z.e, p.z.t, p.z.e, work.values, p.z.paddedE());
      packed = block.group;
    }
    runBlock(f, block, work);
  }
}

template <typename S> Prepared prepareFor(const Call &call) {
  const auto &in = call.args.operands;
  Forward<S> f{
      AttentionProblem(call),          in[0].as<S>(), in[1].as<S>(), in[2].as<S>(), call.args.results[0].as<S>(),
      call.args.results[1].as<float>()};
  if (llvm::Error error = expectWorkspace(call, attentionWorkspace(f.p.z, call.threads))) return error;
  return ready([f = std::move(f), work = reinterpret_cast<float *>(call.args.workspace.data())] {
    const AttentionSizes &z = f.p.z;
    parallelFor(f.p.threads, f.p.threads, z.b * z.h * z.s * z.t * z.d, [&](int64_t begin, int64_t end, int) {
      for (int64_t part = begin; part < end; ++part)
        runPart(f, f.p.parts[size_t(part)], Work(z, work + part * z.forwardFloats()));
    });
    return Status::Ok;
  });
}

Prepared prepareAttention(const Call &call) {
  return asStored(call, [&](auto stored) { return prepareFor<decltype(stored)>(call); });
}

constexpr KernelRow kRows[] = {{KernelId::Attention, prepareAttention}};

} // namespace

std::span<const KernelRow> attentionKernels() { return kRows; }

} // namespace autotp::cpu

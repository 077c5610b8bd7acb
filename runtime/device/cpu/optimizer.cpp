/// \file What runs on flat f32 buckets: accumulation, norm, and AdamW in one pass.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"

#include <cmath>

namespace autotp::cpu {

namespace {

/// A part of this rank's elements that lies in one segment, or between two.
struct Range {
  int64_t begin, end;
  bool isIn;
};

/// This rank's [0, n) cut at the borders of the segments, which count from the bucket's begin.
std::vector<Range> rangesOf(const Call &call, int64_t n) {
  std::vector<int64_t> begins = call.args.attributes.integers("begins"), ends = call.args.attributes.integers("ends");
  int64_t first = call.args.attributes.integer("dp_slice") * call.args.dpRank, at = 0;
  std::vector<Range> ranges;
  auto add = [&](int64_t begin, int64_t end, bool isIn) {
    begin = std::max<int64_t>(begin, 0);
    end = std::min(end, n);
    if (begin < end) ranges.push_back({begin, end, isIn});
  };
  for (size_t i = 0; i < begins.size() && i < ends.size(); ++i) {
    add(at, begins[i] - first, false);
    add(begins[i] - first, ends[i] - first, true);
    at = std::max(at, ends[i] - first);
  }
  add(at, n, false);
  return ranges;
}

Prepared prepareAccumulate(Call call) {
  if (llvm::Error error = expectCounts(call, 2, 2, 1)) return error;
  const auto &in = call.args.operands;
  if (llvm::Error error = expectF32(call, {&in[0], &in[1], &call.args.results[0]})) return error;
  if (llvm::Error error = expectElements(call, in[1], in[0].elements(), "x")) return error;
  if (llvm::Error error = expectElements(call, call.args.results[0], in[0].elements(), "the result")) return error;
  return ready([n = in[0].elements(), sum = in[0].as<float>(), x = in[1].as<float>(),
                to = call.args.results[0].as<float>(), threads = call.threads] {
    parallelFor(threads, n, 1, [&](int64_t begin, int64_t end, int) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        to[i] = sum[i] + x[i];
    });
    return Status::Ok;
  });
}

/// In blocks of a fixed size, so that the sum does not depend on the number of threads.
Prepared prepareSumSquares(Call call) {
  if (llvm::Error error = expectCounts(call, 1, 1, 1)) return error;
  const TensorArg &x = call.args.operands[0];
  if (llvm::Error error = expectF32(call, {&x, &call.args.results[0]})) return error;
  constexpr int64_t kBlock = 65536;
  std::vector<Range> blocks;
  for (const Range &range : rangesOf(call, x.elements()))
    for (int64_t at = range.begin; range.isIn && at < range.end; at += kBlock)
      blocks.push_back({at, std::min(at + kBlock, range.end), true});
  return ready([blocks, sums = std::vector<double>(blocks.size()), from = x.as<float>(),
                to = call.args.results[0].as<float>(), threads = call.threads]() mutable {
    parallelFor(threads, int64_t(blocks.size()), kBlock, [&](int64_t begin, int64_t end, int) {
      for (int64_t b = begin; b < end; ++b) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = blocks[size_t(b)].begin; i < blocks[size_t(b)].end; ++i)
          sum += double(from[i]) * double(from[i]);
        sums[size_t(b)] = sum;
      }
    });
    double total = 0;
    for (double sum : sums)
      total += sum;
    *to = float(total);
    return Status::Ok;
  });
}

Prepared prepareGradScale(Call call) {
  if (llvm::Error error = expectCounts(call, 2, 2, 2)) return error;
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  if (llvm::Error error = expectF32(call, {&in[0], &in[1], &out[0], &out[1]})) return error;
  for (const TensorArg *t : {&in[0], &in[1], &out[0], &out[1]})
    if (llvm::Error error = expectElements(call, *t, 1, "an operand or result")) return error;
  return ready([squares = in[0].as<float>(), count = in[1].as<float>(), scale = out[0].as<float>(),
                norm = out[1].as<float>(), limit = call.args.attributes.real("max_norm")] {
    if (*count == 0) return Status::NoValidLabels;
    const double n = double(*count), length = std::sqrt(double(*squares)) / n;
    *norm = float(length);
    *scale = float((limit > 0 ? std::min(1.0, limit / (length + 1e-6)) : 1.0) / n);
    return Status::Ok;
  });
}

struct Adam {
  float *p, *m, *v;
  const float *g;
};

/// torch's AdamW: decay first, epsilon outside the corrected root.
void update(Adam t, int64_t begin, int64_t end, float scale, float beta1, float beta2, float keep, float stepSize,
            float rootCorrection, float epsilon) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float g = t.g[i] * scale;
    const float m = beta1 * t.m[i] + (1.0f - beta1) * g, v = beta2 * t.v[i] + (1.0f - beta2) * g * g;
    t.m[i] = m;
    t.v[i] = v;
    t.p[i] = t.p[i] * keep - stepSize * m / (std::sqrt(v) * rootCorrection + epsilon);
  }
}

Prepared prepareAdamW(Call call) {
  if (llvm::Error error = expectCounts(call, 7, 7, 3)) return error;
  const auto &in = call.args.operands;
  int64_t n = in[0].elements();
  for (size_t k : {0u, 1u, 2u, 3u}) {
    if (llvm::Error error = expectF32(call, {&in[k]})) return error;
    if (llvm::Error error = expectElements(call, in[k], n, "an operand")) return error;
  }
  for (size_t k : {4u, 5u, 6u}) {
    if (llvm::Error error = expectF32(call, {&in[k]})) return error;
    if (llvm::Error error = expectElements(call, in[k], 1, "scale, lr or step")) return error;
  }
  for (size_t k : {0u, 1u, 2u})
    if (call.args.results[k].data != in[k].data) return mistake(call, "it works in place only");
  const KernelAttributes &a = call.args.attributes;
  return ready(
      [ranges = rangesOf(call, n), t = Adam{in[0].as<float>(), in[1].as<float>(), in[2].as<float>(), in[3].as<float>()},
       scale = in[4].as<float>(), lr = in[5].as<float>(), step = in[6].as<float>(), beta1 = a.real("beta1"),
       beta2 = a.real("beta2"), epsilon = a.real("epsilon"), decay = a.real("weight_decay"), threads = call.threads] {
        if (*scale != *scale) return Status::Ok; // the step is skipped
        const double rate = double(*lr), stepSize = rate / (1 - std::pow(beta1, double(*step))),
                     root = 1 / std::sqrt(1 - std::pow(beta2, double(*step)));
        for (const Range &range : ranges)
          parallelFor(threads, range.end - range.begin, 4, [&](int64_t begin, int64_t end, int) {
            const float keep = float(range.isIn ? 1 - rate * decay : 1.0);
            update(t, range.begin + begin, range.begin + end, *scale, float(beta1), float(beta2), keep, float(stepSize),
                   float(root), float(epsilon));
          });
        return Status::Ok;
      });
}

Prepared prepareLossScale(Call call) {
  if (llvm::Error error = checkLossScale(call)) return error;
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([scale = in[1].as<float>(), norm = in[2].as<float>(), step = in[3].as<float>(),
                toScale = out[1].as<float>(), toStep = out[2].as<float>(), state = out[0].as<float>(),
                window = float(call.args.attributes.integer("window"))] {
    const bool isGood = std::isfinite(*norm);
    *toScale = isGood ? *scale : NAN;
    *toStep = *step - state[2];
    state[1] = isGood ? state[1] + 1 : 0;
    if (!isGood) state[0] = std::max(state[0] / 2, 1.0f);
    if (!isGood) state[2] += 1;
    if (state[1] < window) return Status::Ok;
    state[0] = std::min(state[0] * 2, kLargestLossScale);
    state[1] = 0;
    return Status::Ok;
  });
}

constexpr KernelRow kRows[] = {{KernelId::Accumulate, prepareAccumulate},
                               {KernelId::SumSquares, prepareSumSquares},
                               {KernelId::GradScale, prepareGradScale},
                               {KernelId::AdamW, prepareAdamW},
                               {KernelId::LossScale, prepareLossScale}};

} // namespace

std::span<const KernelRow> optimizerKernels() { return kRows; }

} // namespace autotp::cpu

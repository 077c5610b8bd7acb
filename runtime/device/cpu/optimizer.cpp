/// \file What runs on flat f32 buckets: accumulation, norm, and updates in one pass.
#include "runtime/device/cpu/kernel_table.h"
#include "runtime/device/cpu/parallel.h"
#include "runtime/device/updates.h"

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

Prepared prepareAccumulate(const Call &call) {
  const auto &in = call.args.operands;
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

/// In f32 over stretches so short that their sums lose nothing that counts, then in double.
double sumOfSquares(const float *x, int64_t n) {
  constexpr int64_t kStretch = 512;
  double sum = 0;
  for (int64_t at = 0; at < n; at += kStretch) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = at; i < std::min(at + kStretch, n); ++i)
      squares += x[i] * x[i];
    sum += double(squares);
  }
  return sum;
}

/// In blocks of a fixed size, so that the sum does not depend on the number of threads.
Prepared prepareSumSquares(const Call &call) {
  const TensorArg &x = call.args.operands[0];
  constexpr int64_t kBlock = 65536;
  std::vector<Range> blocks;
  for (const Range &range : rangesOf(call, x.elements()))
    for (int64_t at = range.begin; range.isIn && at < range.end; at += kBlock)
      blocks.push_back({at, std::min(at + kBlock, range.end), true});
  return ready([blocks, sums = std::vector<double>(blocks.size()), from = x.as<float>(),
                to = call.args.results[0].as<float>(), threads = call.threads]() mutable {
    parallelFor(threads, int64_t(blocks.size()), kBlock, [&](int64_t begin, int64_t end, int) {
      for (int64_t b = begin; b < end; ++b) {
        const Range &block = blocks[size_t(b)];
        sums[size_t(b)] = sumOfSquares(from + block.begin, block.end - block.begin);
      }
    });
    double total = 0;
    for (double sum : sums)
      total += sum;
    *to = float(total);
    return Status::Ok;
  });
}

Prepared prepareGradScale(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([squares = in[0].as<float>(), count = in[1].as<float>(), scale = out[0].as<float>(),
                norm = out[1].as<float>(), limit = call.args.attributes.real("max_norm")] {
    if (*count == 0) return Status::NoValidLabels;
    const double n = double(*count), length = std::sqrt(double(*squares)) / n;
    *norm = float(length);
    *scale = std::isfinite(*norm) ? float((limit > 0 ? std::min(1.0, limit / (length + 1e-6)) : 1.0) / n) : NAN;
    return Status::Ok;
  });
}

/// What an update reads and writes; only the first of the states are there where it has fewer.
struct Updated {
  float *parameters, *states[2];
  const float *gradients;
};

/// Through locals: stores to what references name would keep the compiler from using vectors.
template <typename Step, int kStates>
void updateElements(const Step step, Updated t, int64_t begin, int64_t end, float scale) {
  float *parameters = t.parameters, *first = t.states[0], *second = t.states[1];
  const float *gradients = t.gradients;
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    float p = parameters[i], s[2] = {0, 0};
    if constexpr (kStates >= 1) s[0] = first[i];
    if constexpr (kStates >= 2) s[1] = second[i];
    if constexpr (kStates == 2) step(p, gradients[i] * scale, s[0], s[1]);
    if constexpr (kStates == 1) step(p, gradients[i] * scale, s[0]);
    if constexpr (kStates == 0) step(p, gradients[i] * scale);
    parameters[i] = p;
    if constexpr (kStates >= 1) first[i] = s[0];
    if constexpr (kStates >= 2) second[i] = s[1];
  }
}

template <typename Update> Prepared prepareUpdate(const Call &call) {
  constexpr int kStates = Update::kStates;
  const auto &in = call.args.operands;
  Updated t{in[0].as<float>(), {}, in[kStates + 1].as<float>()};
  for (int k = 0; k < kStates; ++k)
    t.states[k] = in[size_t(k) + 1].as<float>();
  return ready([ranges = rangesOf(call, in[0].elements()), t, scale = in[kStates + 2].as<float>(),
                lr = in[kStates + 3].as<float>(), count = in[kStates + 4].as<float>(),
                update = Update(call.args.attributes), threads = call.threads] {
    if (*scale != *scale) return Status::Ok; // the step is skipped
    for (const Range &range : ranges) {
      const typename Update::Step step = update.step(double(*lr), double(*count), range.isIn);
      parallelFor(threads, range.end - range.begin, 4, [&](int64_t begin, int64_t end, int) {
        updateElements<typename Update::Step, kStates>(step, t, range.begin + begin, range.begin + end, *scale);
      });
    }
    return Status::Ok;
  });
}

Prepared prepareLossScale(const Call &call) {
  const auto &in = call.args.operands;
  const auto &out = call.args.results;
  return ready([scale = in[1].as<float>(), norm = in[2].as<float>(), step = in[3].as<float>(),
                toScale = out[1].as<float>(), toStep = out[2].as<float>(), state = out[0].as<float>(),
                rules = lossScaleRules(call.args.attributes)] {
    const bool isGood = std::isfinite(*norm);
    *toScale = isGood ? *scale : NAN;
    *toStep = *step - state[2];
    moveLossScale(state, isGood, rules);
    return Status::Ok;
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

} // namespace autotp::cpu

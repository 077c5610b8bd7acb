/// \file What runs on flat buckets: accumulation, norm, loss scale, and every optimizer's update.
#include "tests/conformance/kernel_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace autotp::test {
namespace {

TEST(Optimizer, AccumulateAndGradScale) {
  Value sum = randomValue({40001}, 1), x = randomValue({40001}, 2), y = sum;
  for (size_t i = 0; i < y.v.size(); ++i)
    y.v[i] += x.v[i];
  expectCase({KernelId::Accumulate, {sum, x}, {y}, {}, 1e-6, {0}});
  for (double limit : {0.0, 0.5, 100.0}) {
    const double norm = std::sqrt(36.0) / 4, scale = (limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1) / 4;
    expectCase({KernelId::GradScale,
                {filled({}, 36), filled({}, 4)},
                {filled({}, scale), filled({}, norm)},
                attributes({{"max_norm", limit}})});
  }
  expectStatus({KernelId::GradScale,
                {filled({}, 36), filled({}, 0)},
                {filled({}, 0), filled({}, 0)},
                attributes({{"max_norm", 1.0}})},
               Status::NoValidLabels);
}

/// (state, scale, norm, step) -> (state, scale, step)
TEST(Optimizer, LossScale) {
  const int64_t window = 5;
  KernelAttributes rules = attributes({{"window", window}});
  auto expect = [&](std::vector<double> before, double norm, std::vector<double> after, double scale, double step) {
    expectCase({KernelId::LossScale,
                {{DType::F32, {4}, before}, filled({}, 0.25), filled({}, norm), filled({}, 9)},
                {{DType::F32, {4}, after}, filled({}, scale), filled({}, step)},
                rules,
                0,
                {0, -1, -1}});
  };
  expect({1024, 0, 0, 1}, 3, {1024, 1, 0, 1}, 0.25, 9);
  expect({1024, 4, 2, 1}, 3, {2048, 0, 2, 1}, 0.25, 7); // the fifth good step
  expect({1024, 3, 2, 1}, INFINITY, {512, 0, 3, 1}, NAN, 7);
  expect({1024, 4, 0, 1}, NAN, {512, 0, 1, 1}, NAN, 9);
  expect({1, 0, 0, 1}, INFINITY, {1, 0, 1, 1}, NAN, 9);
  expect({16777216, 4, 0, 1}, 3, {16777216, 0, 0, 1}, 0.25, 9);
  expect({0x1p32, 4, 0, 1}, 3, {0x1p32, 0, 0, 1}, 0.25, 9);
  rules = attributes({{"window", window}, {"hysteresis", int64_t(3)}, {"minimum", 512.0}, {"is_late", int64_t(1)}});
  expect({1024, 2, 0, 3}, INFINITY, {1024, -1, 1, 2}, NAN, 9);
  expect({1024, -1, 1, 2}, NAN, {1024, -1, 2, 1}, NAN, 8);
  expect({1024, -1, 2, 1}, INFINITY, {512, -1, 3, 1}, NAN, 7); // and none is given back
  expect({512, -1, 3, 1}, INFINITY, {512, -1, 4, 1}, NAN, 6);
  expect({512, -1, 3, 1}, 3, {512, 0, 3, 1}, 0.25, 6);
  expect({512, 4, 3, 1}, 3, {1024, 0, 3, 3}, 0.25, 6); // by a doubling all are
  rules = attributes({{"window", window}, {"hysteresis", int64_t(3)}, {"refills", int64_t(1)}});
  expect({1024, 1, 1, 1}, 3, {1024, 2, 1, 3}, 0.25, 8);
}

TEST(Optimizer, AdamWSkipsAStepWhoseScaleIsNoNumber) {
  Value p = randomValue({5000}, 1), g = filled({5000}, INFINITY);
  expectCase({KernelId::Adam,
              {p, p, p, g, filled({}, NAN), filled({}, 0.01), filled({}, 3)},
              {p, p, p},
              attributes({{"beta1", 0.9}, {"beta2", 0.95}, {"epsilon", 1e-8}, {"decay_before", 0.1}}),
              0,
              {0, 1, 2}});
}

const std::vector<int64_t> kBegins = {3, 50, 69000}, kEnds = {20, 68000, 140000};

bool inSegments(int64_t at) {
  for (size_t s = 0; s < kBegins.size(); ++s)
    if (at >= kBegins[s] && at < kEnds[s]) return true;
  return false;
}

/// Slices of dp ranks that follow each other, and with those of other tp ranks between them.
TEST(Optimizer, SegmentsOfSlices) {
  for (auto [slice, stride] : {std::pair<int64_t, int64_t>{70000, 70000}, {30000, 60000}})
    for (int dpRank : {0, 1}) {
      Value x = randomValue({slice}, 1);
      double squares = 0;
      for (int64_t i = 0; i < slice; ++i)
        if (inSegments(dpRank * stride + i)) squares += x.v[size_t(i)] * x.v[size_t(i)];
      expectCase({KernelId::SumSquares,
                  {x},
                  {filled({}, squares)},
                  attributes({{"begins", kBegins}, {"ends", kEnds}, {"dp_slice", stride}}),
                  1e-6,
                  {},
                  dpRank});
    }
}

/// One call of an update on a dp rank's slice: what each element begins with, and what `rule` makes of it.
struct UpdateCase {
  KernelId kernel;
  KernelAttributes attributes; ///< but for the segments
  size_t states;
  double count;
  /// (parameter, states, gradient, learning rate, whether the element decays): changes the first two, in double.
  std::function<void(double &, std::vector<double> &, double, double, bool)> rule;
};

void expectUpdate(const UpdateCase &c) {
  const int64_t n = 50000, stride = 70000; // elements of other ranks lie between
  const double scale = 0.5, lr = 0.01;
  for (int dpRank : {0, 1}) {
    std::vector<Value> operands = {randomValue({n}, 1)};
    for (size_t k = 0; k < c.states; ++k)
      operands.push_back(randomValue({n}, int(2 + k), 0, 1));
    std::vector<Value> results = operands;
    Value g = randomValue({n}, 9);
    std::vector<double> states(c.states);
    for (size_t i = 0; i < size_t(n); ++i) {
      for (size_t k = 0; k < c.states; ++k)
        states[k] = operands[k + 1].v[i];
      c.rule(results[0].v[i], states, g.v[i] * scale, lr, inSegments(dpRank * stride + int64_t(i)));
      for (size_t k = 0; k < c.states; ++k)
        results[k + 1].v[i] = states[k];
    }
    for (const Value &operand : {g, filled({}, scale), filled({}, lr), filled({}, c.count)})
      operands.push_back(operand);
    KernelAttributes a = c.attributes;
    a.set("begins", kBegins);
    a.set("ends", kEnds);
    a.set("dp_slice", stride);
    std::vector<int> inPlace;
    for (size_t k = 0; k <= c.states; ++k)
      inPlace.push_back(int(k));
    expectCase({c.kernel, operands, results, a, 1e-5, inPlace, dpRank});
  }
}

TEST(Optimizer, AdamWIsTorchs) {
  const double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-3, decay = 0.1, t = 3;
  expectUpdate({KernelId::Adam,
                attributes({{"beta1", beta1},
                            {"beta2", beta2},
                            {"corrects_root", int64_t(1)},
                            {"decay_before", decay},
                            {"epsilon", epsilon}}),
                2, t, [=](double &p, std::vector<double> &s, double g, double lr, bool decays) {
                  s = {beta1 * s[0] + (1 - beta1) * g, beta2 * s[1] + (1 - beta2) * g * g};
                  if (decays) p *= 1 - lr * decay;
                  p -= lr * (s[0] / (1 - std::pow(beta1, t))) / (std::sqrt(s[1] / (1 - std::pow(beta2, t))) + epsilon);
                }});
}

/// ONNX's Adam, with onnxruntime's decay besides: epsilon joins the uncorrected root.
TEST(Optimizer, AdamWhoseEpsilonJoinsTheUncorrectedRoot) {
  const double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-2, l2 = 0.3, after = 0.2, shrink = 0.05, t = 3;
  for (double count : {t, 0.0})
    expectUpdate({KernelId::Adam,
                  attributes({{"beta1", beta1},
                              {"beta2", beta2},
                              {"epsilon", epsilon},
                              {"l2", l2},
                              {"decay_after", after},
                              {"shrink_after", shrink}}),
                  2, count, [=](double &p, std::vector<double> &s, double g, double lr, bool decays) {
                    if (decays) g += l2 * p;
                    s = {beta1 * s[0] + (1 - beta1) * g, beta2 * s[1] + (1 - beta2) * g * g};
                    const double rate =
                        count > 0 ? lr * std::sqrt(1 - std::pow(beta2, count)) / (1 - std::pow(beta1, count)) : lr;
                    p -= rate * s[0] / (std::sqrt(s[1]) + epsilon);
                    if (decays) p = p * (1 - lr * after) * (1 - shrink);
                  }});
}

TEST(Optimizer, Adagrad) {
  const double epsilon = 1e-3, l2 = 0.3, decay = 0.1, count = 4;
  expectUpdate({KernelId::Adagrad, attributes({{"epsilon", epsilon}, {"l2", l2}, {"rate_decay", decay}}), 1, count,
                [=](double &p, std::vector<double> &s, double g, double lr, bool decays) {
                  if (decays) g += l2 * p;
                  s[0] += g * g;
                  p -= lr / (1 + count * decay) * g / (std::sqrt(s[0]) + epsilon);
                }});
}

TEST(Optimizer, Momentum) {
  const double momentum = 0.9, beta = 0.6, l2 = 0.3;
  for (bool isNesterov : {false, true})
    for (double count : {0.0, 2.0})
      expectUpdate({KernelId::Momentum,
                    attributes({{"momentum", momentum}, {"beta", beta}, {"l2", l2}, {"nesterov", int64_t(isNesterov)}}),
                    1, count, [=](double &p, std::vector<double> &s, double g, double lr, bool decays) {
                      if (decays) g += l2 * p;
                      s[0] = momentum * s[0] + (count > 0 ? beta : 1) * g;
                      p -= lr * (isNesterov ? g + momentum * s[0] : s[0]);
                    }});
}

TEST(Optimizer, Sgd) {
  expectUpdate({KernelId::Sgd, attributes({{"l2", 0.3}}), 0, 1,
                [](double &p, std::vector<double> &, double g, double lr, bool decays) {
                  p -= lr * (g + (decays ? 0.3 * p : 0));
                }});
}

} // namespace
} // namespace autotp::test

// A whole attention block as the dynamo exporter writes it: all idioms together, and no transposes left.
#include "idiom.h"

#include "passes/recognise/cancel_transposes.h"
#include "passes/recognise/recognise_attention.h"
#include "passes/recognise/recognise_rms_norm.h"
#include "passes/recognise/recognise_rotary.h"
#include "passes/recognise/recognise_silu.h"
#include "passes/recognise/recognise_swiglu.h"

#include <cmath>

namespace autotp::idiom {
namespace {

constexpr int64_t kB = 2, kS = 4, kH = 4, kKv = 2, kD = 6, kHidden = 8;

ValueId rmsNorm(Made &m, ValueId x, llvm::StringRef name) {
  ValueId mean = m.mean(m.make("pow", {x, m.number(2)}));
  ValueId r = m.make("reciprocal", {m.make("sqrt", {m.add(mean, m.number(1e-5))})});
  return m.mul(m.parameter(name, {kHidden}), m.mul(x, r));
}

ValueId project(Made &m, ValueId x, llvm::StringRef name, Shape weight) {
  return m.make("matmul", {x, m.parameter(name, std::move(weight))},
                {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
}

ValueId headsOf(Made &m, ValueId x, llvm::StringRef name, int64_t heads) {
  return m.b.transpose(m.b.reshape(project(m, x, name, {kHidden, heads * kD}), {kB, kS, heads, kD}), {0, 2, 1, 3});
}

ValueId rotate(Made &m, ValueId x, ValueId cosine, ValueId sine) {
  ValueId turned = m.make("concat", {m.make("neg", {m.slice(x, 3, kD / 2, kD / 2)}), m.slice(x, 3, 0, kD / 2)},
                          {{"axis", int64_t(3)}});
  return m.add(m.mul(x, cosine), m.mul(turned, sine));
}

ValueId repeated(Made &m, ValueId x) {
  return m.b.reshape(m.expand(m.b.reshape(x, {kB, kKv, 1, kS, kD}), {kB, kKv, kH / kKv, kS, kD}), {kB, kH, kS, kD});
}

ValueId block(Made &m, ValueId x, ValueId cosine, ValueId sine, ValueId mask) {
  ValueId normal = rmsNorm(m, x, "norm");
  ValueId q = rotate(m, headsOf(m, normal, "wq", kH), cosine, sine),
          k = rotate(m, headsOf(m, normal, "wk", kKv), cosine, sine);
  ValueId v = repeated(m, headsOf(m, normal, "wv", kKv));
  ValueId merged = m.b.transpose(m.b.reshape(repeated(m, k), {kB * kH, kS, kD}), {0, 2, 1});
  ValueId scores = m.make("matmul", {m.mul(q, 0.64), m.mul(m.b.reshape(merged, {kB, kH, kD, kS}), 0.64)},
                          {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
  ValueId p = m.make("softmax", {m.add(scores, mask)});
  p = m.make("where", {m.make("is_nan", {p}), m.number(0), p});
  ValueId y = m.make("matmul", {p, v}, {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}});
  y = m.b.reshape(m.b.transpose(y, {0, 2, 1, 3}), {kB, kS, kH * kD});
  x = m.add(x, project(m, y, "wo", {kH * kD, kHidden}));
  ValueId inner = rmsNorm(m, x, "norm2"), gate = project(m, inner, "gate", {kHidden, 10});
  ValueId gated = m.mul(m.mul(gate, m.make("sigmoid", {gate})), project(m, inner, "up", {kHidden, 10}));
  return m.add(x, project(m, gated, "down", {10, kHidden}));
}

TEST(Block, BecomesItsOperators) {
  Made m;
  auto table = [&](double (*f)(double)) {
    return m.constant({1, 1, kS, kD}, [=](int64_t i) { return f(double(i / kD) / double(1 + i % (kD / 2))); });
  };
  ValueId cosine = table(std::cos), sine = table(std::sin);
  ValueId mask = m.constant({kB, 1, kS, kS}, [](int64_t i) { return i % kS > i / kS % kS ? -3.4e38 : 0; });
  ValueId x = m.input("x", {kB, kS, kHidden});
  for (int layer = 0; layer < 2; ++layer)
    x = block(m, x, cosine, sine, mask);
  m.output(x);
  for (Pass pass :
       {recogniseRmsNorm, recogniseSilu, recogniseSwiglu, recogniseRotary, recogniseAttention, cancelTransposes})
    run(m.graph, pass);
  const std::pair<const char *, unsigned> kExpected[] = {{"rms_norm", 4}, {"rotary", 4},   {"attention", 2},
                                                         {"swiglu", 2},   {"matmul", 14},  {"add", 4},
                                                         {"reshape", 8},  {"transpose", 0}};
  unsigned all = 0;
  for (auto [op, count] : kExpected) {
    EXPECT_EQ(countOf(m.graph, op), count) << op;
    all += count;
  }
  EXPECT_EQ(m.graph.order().size(), all) << printed(m.graph);
}

} // namespace
} // namespace autotp::idiom

#include "idiom.h"

#include "passes/recognise/cancel_transposes.h"
#include "passes/recognise/recognise_attention.h"

#include <cmath>

namespace autotp::idiom {
namespace {

constexpr int64_t kB = 2, kH = 4, kS = 5, kD = 3, kKv = 2;

/// How an exporter may write the parts around the softmax.
struct Spelling {
  enum Key { Plain, TransB, FromLengthFirst, Merged } key = Plain;
  enum Scale { None, OnScores, DivScores, OnBoth, OnQ } scale = None;
  enum Cleanup { Nothing, NanFirst } cleanup = Nothing;
  bool isMergedProduct = false, isGrouped = false;
};

/// [b, h, s, d] as exporters get it: from [b, s, h, d].
ValueId headsOf(Made &m, llvm::StringRef name, int64_t heads) {
  return m.b.transpose(m.input(name, {kB, kS, heads, kD}), {0, 2, 1, 3});
}

ValueId repeated(Made &m, ValueId x) {
  ValueId parted = m.b.reshape(x, {kB, kKv, 1, kS, kD});
  return m.b.reshape(m.expand(parted, {kB, kKv, kH / kKv, kS, kD}), {kB, kH, kS, kD});
}

ValueId transposedKey(Made &m, ValueId k, Spelling::Key how) {
  if (how == Spelling::Plain) return m.b.transpose(k, {0, 1, 3, 2});
  ValueId merged = m.b.transpose(m.b.reshape(k, {kB * kH, kS, kD}), {0, 2, 1});
  return m.b.reshape(merged, {kB, kH, kD, kS});
}

ValueId scoresOf(Made &m, const Spelling &s) {
  ValueId q = headsOf(m, "q", kH), k;
  if (s.key == Spelling::FromLengthFirst) {
    k = m.b.transpose(m.input("k", {kB, kS, kH, kD}), {0, 2, 3, 1});
  } else {
    k = s.isGrouped ? repeated(m, headsOf(m, "k", kKv)) : headsOf(m, "k", kH);
    if (s.key != Spelling::TransB) k = transposedKey(m, k, s.key);
  }
  if (s.scale == Spelling::OnBoth) q = m.mul(q, 0.7), k = m.mul(m.number(0.7), k);
  if (s.scale == Spelling::OnQ) q = m.div(q, m.number(2));
  Attributes attributes = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(s.key == Spelling::TransB)}};
  ValueId scores;
  if (s.isMergedProduct) {
    auto merge = [&](ValueId x) {
      return m.b.reshape(x, {kB * kH, m.graph.type(x).shape[2], m.graph.type(x).shape[3]});
    };
    ValueId left = merge(q), right = merge(k);
    scores = m.b.reshape(m.make("matmul", {left, right}, attributes), {kB, kH, kS, kS});
  } else {
    scores = m.make("matmul", {q, k}, attributes);
  }
  if (s.scale == Spelling::OnScores) scores = m.mul(scores, 0.5);
  if (s.scale == Spelling::DivScores) scores = m.div(scores, m.number(2));
  return scores;
}

/// From the masked scores to [b, s, h, d].
ValueId finish(Made &m, ValueId scores, const Spelling &s) {
  ValueId p = m.make("softmax", {scores});
  if (s.cleanup == Spelling::NanFirst) p = m.make("where", {m.make("is_nan", {p}), m.number(0), p});
  ValueId v = s.isGrouped ? repeated(m, headsOf(m, "v", kKv)) : headsOf(m, "v", kH), y;
  Attributes attributes = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}};
  if (s.isMergedProduct) {
    ValueId left = m.b.reshape(p, {kB * kH, kS, kS}), right = m.b.reshape(v, {kB * kH, kS, kD});
    y = m.b.reshape(m.make("matmul", {left, right}, attributes), {kB, kH, kS, kD});
  } else {
    y = m.make("matmul", {p, v}, attributes);
  }
  return m.b.transpose(y, {0, 2, 1, 3});
}

double hides(int64_t i, double fill) { return i % kS > i / kS % kS ? fill : 0; }
ValueId causalMask(Made &m, Shape shape, double fill = -HUGE_VAL) {
  return m.constant(std::move(shape), [=](int64_t i) { return hides(i, fill); });
}

const Node *onlyAttention(const Made &m) {
  for (NodeId id : m.graph.order())
    if (m.graph.node(id).is("attention")) return &m.graph.node(id);
  return nullptr;
}

/// One attention and nothing else: no transposes are left.
void expectAttention(Made &m, int64_t causal, double scale, size_t operands, bool mayMendNan = false) {
  run(m.graph, recogniseAttention, mayMendNan);
  run(m.graph, cancelTransposes);
  const Node *node = onlyAttention(m);
  ASSERT_TRUE(node) << printed(m.graph);
  EXPECT_EQ(countOf(m.graph, "transpose"), 0u) << printed(m.graph);
  EXPECT_EQ(countOf(m.graph, "matmul"), 0u);
  EXPECT_EQ(node->attributes.integer("causal"), causal);
  EXPECT_NEAR(node->attributes.real("scale"), scale, 1e-15);
  EXPECT_EQ(node->operands.size(), operands);
}

TEST(Attention, KeysScalesAndCleanup) {
  constexpr double kScales[] = {1, 0.5, 0.5, 0.7 * 0.7, 0.5};
  for (auto key : {Spelling::Plain, Spelling::TransB, Spelling::FromLengthFirst, Spelling::Merged})
    for (auto scale : {Spelling::None, Spelling::OnScores, Spelling::DivScores, Spelling::OnBoth, Spelling::OnQ})
      for (auto cleanup : {Spelling::Nothing, Spelling::NanFirst})
        for (bool isMerged : {false, true}) {
          Spelling s{key, scale, cleanup, isMerged, false};
          Made m;
          ValueId scores = scoresOf(m, s);
          m.output(finish(m, m.add(scores, causalMask(m, {kS, kS})), s));
          expectAttention(m, 1, kScales[scale], 3);
          EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
        }
}

TEST(Attention, GroupedHeads) {
  for (auto key : {Spelling::Plain, Spelling::TransB, Spelling::Merged}) {
    Spelling s{key, Spelling::OnBoth, Spelling::NanFirst, false, true};
    Made m;
    m.output(finish(m, scoresOf(m, s), s));
    expectAttention(m, 0, 0.49, 3);
    EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
  }
}

TEST(Attention, OnlyKeysGrouped) {
  Spelling grouped{Spelling::Plain, Spelling::None, Spelling::Nothing, false, true}, plain;
  Made m;
  m.output(finish(m, scoresOf(m, grouped), plain));
  expectCount(m, recogniseAttention, "attention", 1);
  EXPECT_EQ(countOf(m.graph, "expand"), 1u);
}

TEST(Attention, CausalSpellings) {
  for (int spelling = 0; spelling < 6; ++spelling) {
    Made m;
    ValueId scores = scoresOf(m, {});
    ValueId sees = m.constant(
        {1, 1, kS, kS}, [](int64_t i) { return hides(i, 1) == 0; }, DType::Bool);
    ValueId hidden = m.constant(
        {kS, kS}, [](int64_t i) { return hides(i, 1); }, DType::Bool);
    if (spelling == 0) scores = m.make("where", {sees, scores, m.number(-HUGE_VAL)});
    if (spelling == 1) scores = m.make("where", {hidden, m.number(-1e4), scores});
    if (spelling == 2) scores = m.add(causalMask(m, {kB, kH, kS, kS}, -1e9), scores);
    if (spelling == 3) scores = m.add(scores, causalMask(m, {1, 1, kS, kS}, -3.4e38));
    if (spelling == 4)
      scores =
          m.add(m.add(scores, causalMask(m, {kB, 1, kS, kS})), m.constant({1, 1, 1, kS}, [](int64_t) { return 0; }));
    if (spelling == 5) scores = m.add(m.make("where", {sees, scores, m.number(-HUGE_VAL)}), causalMask(m, {kS, kS}));
    m.output(finish(m, scores, {}));
    expectAttention(m, 1, 1, 3);
  }
}

TEST(Attention, MasksThatStay) {
  for (int spelling = 0; spelling < 5; ++spelling) {
    Made m;
    ValueId scores = scoresOf(m, {Spelling::Plain, Spelling::OnScores});
    Shape expected = {1, 1, kS, kS};
    if (spelling == 0)
      scores = m.add(scores, m.constant({kB, kH, kS, kS}, [](int64_t i) { return double(i % (kS * kS)) * 0.1; }));
    if (spelling == 1) {
      scores = m.add(scores, m.constant({1, kH, 1, kS}, [](int64_t i) { return double(i) * -0.1; })); // alibi
      expected = {1, kH, kS, kS};
    }
    if (spelling == 2) {
      scores = m.add(scores, m.input("mask", {kB, 1, 1, kS}));
      expected = {kB, 1, kS, kS};
    }
    if (spelling == 3) {
      ValueId sees = m.graph.addInput("sees", Type{DType::Bool, {kB, 1, kS, kS}});
      scores = m.make("where", {sees, scores, m.number(-1e38)});
      expected = {kB, 1, kS, kS};
    }
    if (spelling == 4) scores = m.add(scores, causalMask(m, {kS, kS}, -2)); // too weak to hide
    m.output(finish(m, scores, {}));
    expectAttention(m, 0, 0.5, 4);
    EXPECT_EQ(m.graph.type(onlyAttention(m)->operands[3]).shape, expected);
    EXPECT_EQ(onlyAttention(m)->attributes.integer("replaces"), spelling == 3);
  }
}

TEST(Attention, RowsWithoutKeysGiveZero) {
  Made m;
  ValueId mask = m.constant({kS, kS}, [](int64_t i) { return i / kS == 2 ? -HUGE_VAL : 0; });
  m.output(finish(m, m.add(scoresOf(m, {}), mask), {Spelling::Plain, Spelling::None, Spelling::NanFirst}));
  expectAttention(m, 0, 1, 4);
}

TEST(Attention, ZeroMaskVanishes) {
  Made m;
  m.output(finish(m, m.add(scoresOf(m, {}), m.constant({1, 1, kS, kS}, [](int64_t) { return 0; })), {}));
  expectAttention(m, 0, 1, 3);
}

/// Canonicalisation joins the merge of the groups with that of batch and heads.
TEST(Attention, GroupsMergedAtOnceAndOneHeadExpanded) {
  for (bool isOneHead : {false, true}) {
    Made m;
    Attributes flags = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}};
    auto groups = [&](llvm::StringRef name) {
      return m.expand(m.b.reshape(headsOf(m, name, kKv), {kB, kKv, 1, kS, kD}), {kB, kKv, kH / kKv, kS, kD});
    };
    auto one = [&](llvm::StringRef name) { return m.expand(headsOf(m, name, 1), {kB, kH, kS, kD}); };
    ValueId k = isOneHead ? one("k") : m.b.reshape(groups("k"), {kB * kH, kS, kD});
    ValueId turned =
        isOneHead ? m.b.transpose(k, {0, 1, 3, 2}) : m.b.reshape(m.b.transpose(k, {0, 2, 1}), {kB, kH, kD, kS});
    ValueId v = isOneHead ? one("v") : m.b.reshape(groups("v"), {kB, kH, kS, kD});
    ValueId p = m.make("softmax", {m.make("matmul", {headsOf(m, "q", kH), m.mul(turned, 0.5)}, flags)});
    m.output(m.b.transpose(m.make("matmul", {p, v}, flags), {0, 2, 1, 3}));
    expectAttention(m, 0, 0.5, 3);
    EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
  }
}

/// Products over [b*h, ..] with a bias of the keys, then a mask over [b, h, ..], as bloom has it.
TEST(Attention, MergedHeadsWithTwoMasks) {
  Made m;
  auto merged = [&](llvm::StringRef name) { return m.b.reshape(headsOf(m, name, kH), {kB * kH, kS, kD}); };
  ValueId q = merged("q"), k = m.b.transpose(merged("k"), {0, 2, 1});
  ValueId bias = m.constant({kB * kH, 1, kS}, [](int64_t i) { return double(i % (kH * kS)) * 0.01; });
  Attributes flags = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}};
  ValueId scores = m.add(bias, m.mul(m.make("matmul", {q, k}, flags), 0.5));
  scores = m.add(m.b.reshape(scores, {kB, kH, kS, kS}), causalMask(m, {1, 1, kS, kS}));
  ValueId p = m.b.reshape(m.make("softmax", {scores}), {kB * kH, kS, kS}), v = merged("v");
  m.output(m.b.transpose(m.b.reshape(m.make("matmul", {p, v}, flags), {kB, kH, kS, kD}), {0, 2, 1, 3}));
  expectAttention(m, 0, 0.5, 4);
  EXPECT_EQ(m.graph.type(onlyAttention(m)->operands[3]).shape, (Shape{1, kH, kS, kS}));
}

/// Beside a mask that is computed, finite numbers that hide are not the same as causal; -inf is.
TEST(Attention, CausalBesideAComputedMask) {
  for (double fill : {-1e4, -HUGE_VAL}) {
    Made m;
    m.output(
        finish(m, m.add(m.add(scoresOf(m, {}), causalMask(m, {kS, kS}, fill)), m.input("mask", {kB, 1, 1, kS})), {}));
    expectAttention(m, fill < -1e5, 1, 4);
  }
}

TEST(Attention, LayersShareAMask) {
  Made m;
  ValueId mask = m.input("mask", {kB, 1, 1, kS});
  for (int layer = 0; layer < 2; ++layer)
    m.output(finish(m, m.add(scoresOf(m, {}), mask), {}));
  expectCount(m, recogniseAttention, "attention", 2);
  EXPECT_EQ(countOf(m.graph, "expand"), 1u);
}

/// One operator already: its repeated heads and its constant mask are still found.
TEST(Attention, WrittenAsOneOperator) {
  for (bool isUseful : {true, false}) {
    Made m;
    ValueId q = m.input("q", {kB, kS, kH, kD});
    auto key = [&](llvm::StringRef name) {
      return isUseful ? m.b.transpose(repeated(m, headsOf(m, name, kKv)), {0, 2, 1, 3})
                      : m.input(name, {kB, kS, kKv, kD});
    };
    ValueId k = key("k"), v = key("v"),
            mask = isUseful ? causalMask(m, {1, 1, kS, kS}) : m.input("mask", {kB, 1, kS, kS});
    m.output(m.b.makeMany("attention", {q, k, v, mask}, {{"causal", int64_t(0)}, {"scale", 0.5}})[0]);
    expectAttention(m, isUseful, 0.5, isUseful ? 3 : 4);
    EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
  }
}

TEST(Attention, Refused) {
  for (int wrong = 0; wrong < 6; ++wrong) {
    Made m;
    ValueId scores = scoresOf(m, {}), softcap = m.make("tanh", {scores});
    if (wrong == 0) m.output(scores);
    if (wrong == 1) scores = m.add(scores, m.parameter("bias", {1, kH, kS, kS})); // a gradient must reach it
    if (wrong == 2) scores = softcap;
    if (wrong == 3)
      scores = m.make("where", {m.graph.addInput("sees", Type{DType::Bool, {kB, 1, kS, kS}}), scores, m.number(-3)});
    if (wrong == 4) scores = m.mul(m.add(scores, causalMask(m, {kS, kS}, -1)), 0.5); // the scale is on the mask too
    m.output(finish(m, scores, {}));
    for (NodeId id : m.graph.order())
      if (wrong == 5 && m.graph.node(id).is("softmax")) m.output(m.graph.node(id).results[0]);
    expectCount(m, recogniseAttention, "attention", 0);
  }
}

} // namespace
} // namespace autotp::idiom

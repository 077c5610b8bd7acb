#include "idiom.h"

#include "passes/recognise/recognise_gelu.h"
#include "passes/recognise/recognise_silu.h"
#include "passes/recognise/recognise_swiglu.h"

namespace autotp::idiom {
namespace {

constexpr double kSqrtHalf = 0.7071067811865476, kSqrtTwo = 1.4142135623730951, kSqrtTwoOverPi = 0.7978845608028654;

/// x * gate / 2, in one of its orders.
ValueId halfTimes(Made &m, ValueId x, ValueId gate, int order) {
  if (order == 0) return m.mul(m.mul(x, 0.5), gate);
  if (order == 1) return m.mul(m.number(0.5), m.mul(gate, x));
  if (order == 2) return m.mul(x, m.mul(gate, 0.5));
  return m.div(m.mul(x, gate), m.number(2));
}

ValueId cubicOf(Made &m, ValueId x, int spelling, double factor = 0.044715) {
  if (spelling == 2) return m.mul(x, m.add(m.mul(m.mul(x, x), factor), m.number(1)));
  ValueId cube = spelling == 0 ? m.make("pow", {x, m.number(3)}) : m.mul(x, m.mul(x, x));
  return m.add(x, m.mul(cube, factor));
}

TEST(Gelu, ErfForm) {
  for (int order = 0; order < 4; ++order)
    for (bool isDiv : {false, true}) {
      Made m;
      ValueId x = m.input("x", {3, 4}), scaled = isDiv ? m.div(x, m.number(kSqrtTwo)) : m.mul(x, kSqrtHalf);
      m.output(halfTimes(m, x, m.add(m.make("erf", {scaled}), m.number(1)), order));
      expectCount(m, recogniseGelu, "gelu", 1);
      EXPECT_EQ(m.graph.order().size(), 1u);
      EXPECT_EQ(m.graph.node(m.graph.first()).attributes.integer("tanh"), 0);
    }
}

TEST(Gelu, TanhForm) {
  for (int order = 0; order < 4; ++order)
    for (int spelling = 0; spelling < 3; ++spelling) {
      Made m;
      ValueId x = m.input("x", {3, 4}), inner = m.mul(cubicOf(m, x, spelling), kSqrtTwoOverPi);
      m.output(halfTimes(m, x, m.add(m.number(1), m.make("tanh", {inner})), order));
      expectCount(m, recogniseGelu, "gelu", 1);
      EXPECT_EQ(m.graph.order().size(), 1u);
      EXPECT_EQ(m.graph.node(m.graph.first()).attributes.integer("tanh"), 1);
    }
}

TEST(Gelu, WrongConstantsAndUses) {
  for (int wrong = 0; wrong < 4; ++wrong) {
    Made m;
    ValueId x = m.input("x", {3, 4}), z = m.input("z", {3, 4});
    ValueId t =
        m.make("tanh", {m.mul(cubicOf(m, x, 0, wrong == 0 ? 0.05 : 0.044715), wrong == 1 ? 0.8 : kSqrtTwoOverPi)});
    m.output(halfTimes(m, wrong == 2 ? z : x, m.add(t, m.number(1)), 0));
    if (wrong == 3) m.output(t);
    expectCount(m, recogniseGelu, "gelu", 0);
  }
}

TEST(Silu, Spellings) {
  for (int spelling = 0; spelling < 3; ++spelling) {
    Made m;
    ValueId x = m.input("x", {3, 4}), gate = m.make("sigmoid", {x});
    ValueId sum = m.add(m.number(1), m.make("exp", {m.make("neg", {x})}));
    m.output(spelling == 0 ? m.mul(x, gate) : spelling == 1 ? m.mul(gate, x) : m.div(x, sum));
    expectCount(m, recogniseSilu, "silu", 1);
    EXPECT_EQ(m.graph.order().size(), 1u);
  }
}

TEST(Silu, OtherOperandOrUse) {
  for (bool isInUse : {false, true}) {
    Made m;
    ValueId x = m.input("x", {3, 4}), gate = m.make("sigmoid", {x});
    m.output(m.mul(isInUse ? x : m.input("z", {3, 4}), gate));
    if (isInUse) m.output(gate);
    expectCount(m, recogniseSilu, "silu", 0);
  }
}

TEST(Swiglu, BothOrdersAndUses) {
  for (int spelling = 0; spelling < 4; ++spelling) {
    Made m;
    ValueId gate = m.make("silu", {m.input("g", {3, 4})}), up = m.input("u", spelling == 3 ? Shape{4} : Shape{3, 4});
    m.output(spelling == 0 ? m.mul(gate, up) : m.mul(up, gate));
    if (spelling == 2) m.output(gate);
    expectCount(m, recogniseSwiglu, "swiglu", spelling < 2);
  }
}

} // namespace
} // namespace autotp::idiom

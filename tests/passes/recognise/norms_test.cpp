#include "idiom.h"

#include "passes/recognise/recognise_layer_norm.h"
#include "passes/recognise/recognise_rms_norm.h"

namespace autotp::idiom {
namespace {

/// The spellings: how the square, the root, and the product are written.
struct Spelling {
  bool isPow, isWeightFirst, hasCasts;
  int root;        ///< 0 reciprocal(sqrt), 1 rsqrt, 2 div(1, sqrt), 3 div(x, sqrt), 4 pow -0.5
  int association; ///< 0 (x r) w, 1 x (r w), 2 (x w) r
};

ValueId squareOf(Made &m, ValueId x, const Spelling &s) {
  return s.isPow ? m.make("pow", {x, m.number(2)}) : m.mul(x, x);
}

ValueId normalise(Made &m, ValueId x, ValueId y, ValueId w, const Spelling &s, double epsilon = 1e-5) {
  ValueId e = m.add(m.mean(squareOf(m, y, s)), m.number(epsilon)),
          root = s.root == 1 || s.root == 4 ? kNone : m.make("sqrt", {e});
  if (s.hasCasts && root != kNone) root = m.cast(root);
  auto times = [&](ValueId a, ValueId b) { return s.isWeightFirst ? m.mul(b, a) : m.mul(a, b); };
  if (s.root == 3) return s.association == 0 ? times(m.div(x, root), w) : m.div(times(x, w), root);
  ValueId r = s.root == 0   ? m.make("reciprocal", {root})
              : s.root == 1 ? m.make("rsqrt", {e})
              : s.root == 2 ? m.div(m.number(1), root)
                            : m.make("pow", {e, m.number(-0.5)});
  if (s.association == 1) return times(x, times(r, w));
  return s.association == 0 ? times(times(x, r), w) : times(times(x, w), r);
}

std::vector<Spelling> spellings() {
  std::vector<Spelling> all;
  for (bool isPow : {false, true})
    for (bool isFirst : {false, true})
      for (bool casts : {false, true})
        for (int root = 0; root < 5; ++root)
          for (int association = 0; association < 3; ++association)
            all.push_back({isPow, isFirst, casts, root, association});
  return all;
}

TEST(RmsNorm, EverySpelling) {
  for (const Spelling &s : spellings()) {
    Made m;
    ValueId x = m.input("x", {2, 3, 8});
    m.output(normalise(m, x, x, m.parameter("w", {8}), s));
    expectCount(m, recogniseRmsNorm, "rms_norm", 1);
    EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
  }
}

TEST(RmsNorm, MiddleInUseBlocks) {
  Made m;
  ValueId x = m.input("x", {2, 8}), mean = m.mean(m.mul(x, x));
  ValueId r = m.make("rsqrt", {m.add(mean, m.number(1e-6))});
  m.output(m.mul(m.mul(x, r), m.parameter("w", {8})));
  m.output(r);
  expectCount(m, recogniseRmsNorm, "rms_norm", 0);
}

TEST(RmsNorm, WrongPiecesBlock) {
  for (int wrong = 0; wrong < 4; ++wrong) {
    Made m;
    ValueId x = m.input("x", {2, 8}), z = m.input("z", {2, 8});
    ValueId square = m.make("pow", {wrong == 0 ? z : x, m.number(wrong == 1 ? 4 : 2)});
    ValueId mean = wrong == 2 ? m.mul(m.mean(square), 3.0) : m.mean(square);
    ValueId w = m.parameter("w", wrong == 3 ? Shape{2, 8} : Shape{8});
    m.output(m.mul(m.mul(x, m.make("rsqrt", {m.add(mean, m.number(1e-6))})), w));
    expectCount(m, recogniseRmsNorm, "rms_norm", 0);
  }
}

TEST(LayerNorm, EverySpelling) {
  for (const Spelling &s : spellings())
    for (bool isTwice : {false, true}) {
      Made m;
      ValueId x = m.input("x", {2, 3, 8}), c = m.make("sub", {x, m.mean(x)});
      ValueId again = isTwice ? m.make("sub", {x, m.mean(x)}) : c;
      ValueId y = normalise(m, c, again, m.parameter("w", {8}), s), bias = m.parameter("b", {8});
      m.output(s.isWeightFirst ? m.add(bias, y) : m.add(y, bias));
      expectCount(m, recogniseLayerNorm, "layer_norm", 1);
      EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
    }
}

TEST(LayerNorm, NotCentredOrInUse) {
  for (bool isInUse : {false, true}) {
    Made m;
    ValueId x = m.input("x", {2, 8}), c = m.make("sub", {x, isInUse ? m.mean(x) : m.mul(x, 0.25)});
    m.output(m.add(normalise(m, c, c, m.parameter("w", {8}), {true, false, false, 1, 0}), m.parameter("b", {8})));
    if (isInUse) m.output(c);
    expectCount(m, recogniseLayerNorm, "layer_norm", 0);
  }
}

} // namespace
} // namespace autotp::idiom

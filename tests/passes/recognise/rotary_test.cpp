#include "idiom.h"

#include "passes/recognise/cancel_transposes.h"
#include "passes/recognise/recognise_rotary.h"

#include <cmath>

namespace autotp::idiom {
namespace {

constexpr int64_t kSequence = 5, kHeads = 3, kSize = 4;

struct Rope {
  int order = 0; ///< bits: which product comes first, and the operands of each
  bool hasHalvesExchanged = false;
};

ValueId rotate(Made &m, ValueId x, ValueId cosine, ValueId sine, Rope rope = {}) {
  ValueId first = m.slice(x, 3, 0, kSize / 2), second = m.slice(x, 3, kSize / 2, kSize / 2);
  if (rope.hasHalvesExchanged) std::swap(first, second);
  ValueId turned = m.make("concat", {m.make("neg", {second}), first}, {{"axis", int64_t(3)}});
  ValueId a = rope.order & 1 ? m.mul(x, cosine) : m.mul(cosine, x),
          b = rope.order & 2 ? m.mul(turned, sine) : m.mul(sine, turned);
  return rope.order & 4 ? m.add(a, b) : m.add(b, a);
}

ValueId table(Made &m, Shape shape, double (*f)(double), bool hasEqualHalves = true) {
  int64_t period = hasEqualHalves ? kSize / 2 : kSize, rows = kSequence;
  return m.constant(std::move(shape),
                    [=](int64_t i) { return f(double(i / kSize % rows) * std::pow(10.0, -double(i % period))); });
}

TEST(Rotary, HeadsFirstInEveryOrder) {
  for (int order = 0; order < 8; ++order)
    for (const Shape &shape : {Shape{1, 1, kSequence, kSize}, Shape{kSequence, kSize}, Shape{2, 1, kSequence, kSize}}) {
      Made m;
      ValueId x = m.b.transpose(m.input("x", {2, kSequence, kHeads, kSize}), {0, 2, 1, 3});
      m.output(
          m.b.transpose(rotate(m, x, table(m, shape, std::cos), table(m, shape, std::sin), {order}), {0, 2, 1, 3}));
      expectCount(m, recogniseRotary, "rotary", 1);
      run(m.graph, cancelTransposes);
      EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
    }
}

TEST(Rotary, SequenceFirst) {
  Made m;
  ValueId x = m.input("x", {2, kSequence, kHeads, kSize});
  m.output(rotate(m, x, table(m, {1, kSequence, 1, kSize}, std::cos), table(m, {1, kSequence, 1, kSize}, std::sin)));
  expectCount(m, recogniseRotary, "rotary", 1);
  EXPECT_EQ(m.graph.order().size(), 1u) << printed(m.graph);
}

TEST(Rotary, LayersShareTables) {
  Made m;
  ValueId cosine = table(m, {1, 1, kSequence, kSize}, std::cos), sine = table(m, {1, 1, kSequence, kSize}, std::sin);
  for (int layer = 0; layer < 2; ++layer)
    m.output(rotate(m, m.input("x", {2, kHeads, kSequence, kSize}), cosine, sine));
  expectCount(m, recogniseRotary, "rotary", 2);
  llvm::SmallVector<NodeId, 2> found;
  for (NodeId id : m.graph.order())
    if (m.graph.node(id).is("rotary")) found.push_back(id);
  for (unsigned k : {1u, 2u})
    EXPECT_EQ(m.graph.node(found[0]).operands[k], m.graph.node(found[1]).operands[k]);
}

TEST(Rotary, ComputedTables) {
  for (bool isRepeated : {false, true}) {
    Made m;
    ValueId f = m.input("f", {1, kSequence, kSize / 2}), g = isRepeated ? f : m.input("g", {1, kSequence, kSize / 2});
    ValueId angles = m.make("concat", {f, g}, {{"axis", int64_t(2)}});
    ValueId cosine = m.b.reshape(m.mul(m.make("cos", {angles}), 1.5), {1, 1, kSequence, kSize});
    ValueId sine = m.b.reshape(m.make("sin", {angles}), {1, 1, kSequence, kSize});
    for (int layer = 0; layer < 2; ++layer)
      m.output(rotate(m, m.input("x", {2, kHeads, kSequence, kSize}), cosine, sine));
    expectCount(m, recogniseRotary, "rotary", isRepeated ? 2 : 0);
  }
}

TEST(Rotary, NotARotation) {
  for (int wrong = 0; wrong < 4; ++wrong) {
    Made m;
    ValueId x = m.input("x", {2, kHeads, kSequence, kSize});
    ValueId cosine = table(m, {kSequence, kSize}, std::cos, wrong != 0); // 0: the halves differ
    if (wrong == 1) cosine = m.constant({kHeads, kSequence, kSize}, [](int64_t i) { return double(i / kSize); });
    ValueId y = rotate(m, x, cosine, table(m, {kSequence, kSize}, std::sin), {0, wrong == 2});
    m.output(y);
    if (wrong == 3) m.output(m.graph.producer(y)->operands[0]); // a product is in use
    expectCount(m, recogniseRotary, "rotary", 0);
  }
}

} // namespace
} // namespace autotp::idiom

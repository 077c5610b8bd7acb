#include "idiom.h"

#include "passes/recognise/cancel_transposes.h"

namespace autotp::idiom {
namespace {

TEST(CancelTransposes, InversesVanishAndOthersJoin) {
  Made m;
  ValueId x = m.input("x", {2, 3, 4, 5});
  ValueId back = m.b.transpose(m.b.transpose(x, {0, 2, 1, 3}), {0, 2, 1, 3});
  m.output(m.make("exp", {back}));
  m.output(m.b.transpose(m.b.transpose(m.b.transpose(x, {1, 2, 3, 0}), {1, 0, 2, 3}), {0, 1, 3, 2}));
  m.output(m.b.transpose(x, {0, 1, 2, 3}));
  run(m.graph, cancelTransposes);
  EXPECT_EQ(countOf(m.graph, "transpose"), 1u) << printed(m.graph);
  EXPECT_EQ(m.graph.outputs[2].value, x);
}

TEST(CancelTransposes, AnInnerOneInUseStays) {
  Made m;
  ValueId inner = m.b.transpose(m.input("x", {2, 3, 4}), {0, 2, 1});
  m.output(m.make("exp", {inner}));
  m.output(m.make("exp", {m.b.transpose(inner, {0, 2, 1})}));
  run(m.graph, cancelTransposes);
  EXPECT_EQ(countOf(m.graph, "transpose"), 1u) << printed(m.graph);
}

} // namespace
} // namespace autotp::idiom

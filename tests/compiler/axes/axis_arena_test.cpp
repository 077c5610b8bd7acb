#include "compiler/axes/axis_arena.h"

#include <gtest/gtest.h>
#include <random>

namespace autotp {
namespace {

std::string sizes(const AxisArena &arena, AxisId axis) {
  return arena.text(axis, [&](AxisId leaf) { return std::to_string(arena.size(leaf)); });
}

TEST(AxisArena, SizeOneHasNoAxis) {
  AxisArena arena;
  EXPECT_EQ(arena.leaf(1), kNoAxis);
  EXPECT_EQ(arena.product({kNoAxis, kNoAxis}), kNoAxis);
  AxisId a = arena.leaf(4);
  EXPECT_EQ(arena.product({kNoAxis, a}), a);
}

TEST(AxisArena, ALeafBecomesWhatItIsUnifiedWith) {
  AxisArena arena;
  AxisId heads = arena.product({arena.leaf(4), arena.leaf(2)}), q = arena.leaf(8);
  ASSERT_TRUE(arena.unify(q, heads));
  EXPECT_EQ(sizes(arena, q), "(4 2)");
}

TEST(AxisArena, ProductsAreRefinedByTheirGcd) {
  AxisArena arena;
  AxisId a = arena.product({arena.leaf(8), arena.leaf(8)}), b = arena.product({arena.leaf(4), arena.leaf(16)});
  ASSERT_TRUE(arena.unify(a, b));
  EXPECT_EQ(sizes(arena, a), "(4 2 8)");
  EXPECT_EQ(arena.leaves(a), arena.leaves(b));
}

/// gpt2's c_attn: thirds of 192, each of them heads times a head dimension.
TEST(AxisArena, FusedQkvSharesTheHeads) {
  AxisArena arena;
  AxisId q = arena.segment(64), k = arena.segment(64), v = arena.segment(64), fused = arena.concat({q, k, v});
  AxisId heads = arena.leaf(4);
  for (AxisId part : {q, k, v})
    ASSERT_TRUE(arena.unify(part, arena.product({heads, arena.leaf(16)})));
  EXPECT_EQ(sizes(arena, fused), "((4 16)|(4 16)|(4 16))");
  auto segments = arena.segments(fused);
  for (AxisId segment : segments)
    EXPECT_EQ(arena.find(arena.factors(segment)[0]), arena.find(heads));
}

TEST(AxisArena, AProductOverAConcatIsAConcatOfProducts) {
  AxisArena arena;
  AxisId fused = arena.concat({arena.segment(8), arena.segment(4), arena.segment(4)});
  AxisId product = arena.product({arena.leaf(4), arena.leaf(4)});
  ASSERT_TRUE(arena.unify(fused, product));
  EXPECT_EQ(arena.size(fused), 16);
  EXPECT_EQ(arena.leaves(fused), arena.leaves(product));
}

TEST(AxisArena, ThirdsOfTwentyFourAreNotFourBySix) {
  AxisArena arena;
  AxisId thirds = arena.concat({arena.segment(8), arena.segment(8), arena.segment(8)});
  AxisId product = arena.product({arena.leaf(4), arena.leaf(6)});
  std::string before = sizes(arena, thirds) + sizes(arena, product);
  EXPECT_FALSE(arena.unify(thirds, product));
  EXPECT_EQ(sizes(arena, thirds) + sizes(arena, product), before) << "a failure leaves no trace";
}

TEST(AxisArena, SizesThatDifferNeverUnify) {
  AxisArena arena;
  EXPECT_FALSE(arena.unify(arena.leaf(4), arena.leaf(6)));
}

TEST(AxisArena, NothingContainsItself) {
  AxisArena arena;
  AxisId a = arena.leaf(4), b = arena.segment(2), c = arena.segment(2);
  ASSERT_TRUE(arena.unify(a, arena.concat({b, c})));
  AxisId d = arena.leaf(2), product = arena.product({d, b});
  ASSERT_EQ(arena.size(product), 4);
  arena.unify(a, product);
  for (AxisId leaf : arena.leaves(a))
    EXPECT_EQ(arena.kind(leaf), AxisArena::Kind::Leaf);
}

TEST(AxisArena, UndoLeavesNoTrace) {
  AxisArena arena;
  AxisId a = arena.leaf(12), b = arena.product({arena.leaf(3), arena.leaf(4)}),
         c = arena.concat({arena.segment(6), arena.segment(6)});
  std::string before = sizes(arena, a) + sizes(arena, b) + sizes(arena, c);
  auto mark = arena.mark();
  arena.unify(a, b);
  arena.unify(a, c);
  arena.undo(mark);
  EXPECT_EQ(sizes(arena, a) + sizes(arena, b) + sizes(arena, c), before);
  EXPECT_NE(arena.find(a), arena.find(b));
}

/// The same equations in any order give the same classes and the same refinement.
TEST(AxisArena, TheOrderOfUnificationsDoesNotMatter) {
  std::mt19937 random(7);
  auto solve = [&](const std::vector<int> &order) {
    AxisArena arena;
    AxisId head = arena.leaf(8), hidden = arena.leaf(64), q = arena.leaf(64), kv = arena.leaf(32),
           merged = arena.product({arena.leaf(4), arena.leaf(8), arena.leaf(2)});
    AxisId groups = arena.product({arena.leaf(4), arena.leaf(2)}),
           width = arena.product({arena.leaf(4), arena.leaf(8)});
    std::vector<std::pair<AxisId, AxisId>> equations = {{q, arena.product({head, arena.leaf(8)})},
                                                        {head, groups},
                                                        {kv, width},
                                                        {hidden, merged},
                                                        {q, arena.product({groups, arena.leaf(8)})}};
    for (int i : order)
      EXPECT_TRUE(arena.unify(equations[size_t(i)].first, equations[size_t(i)].second));
    return sizes(arena, q) + sizes(arena, kv) + sizes(arena, hidden) + sizes(arena, head);
  };
  std::vector<int> order = {0, 1, 2, 3, 4};
  std::string expected = solve(order);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(order.begin(), order.end(), random);
    EXPECT_EQ(solve(order), expected);
  }
}

} // namespace
} // namespace autotp

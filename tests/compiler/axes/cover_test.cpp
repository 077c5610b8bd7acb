#include "compiler/axes/cover.h"

#include <gtest/gtest.h>
#include <random>

namespace autotp {
namespace {

std::string text(const Cover &cover) {
  std::string text;
  for (Interval i : cover)
    text += (text.empty() ? "" : " ") + std::to_string(i.begin) + "-" + std::to_string(i.end);
  return text;
}

/// gpt2's c_attn at tp 2.
TEST(Cover, FusedQkvByHeads) {
  AxisArena arena;
  AxisId h = arena.leaf(4);
  AxisId fused = arena.concat(
      {arena.product({h, arena.leaf(16)}), arena.product({h, arena.leaf(16)}), arena.product({h, arena.leaf(16)})});
  Assignment assignment;
  assignment.assign(h, evenIntervals(4, 2));
  EXPECT_EQ(text(cover(arena, fused, assignment, 0)), "0-32 64-96 128-160");
  EXPECT_EQ(text(cover(arena, fused, assignment, 1)), "32-64 96-128 160-192");
  EXPECT_EQ(localSize(arena, fused, assignment, 1), 96);
}

/// The merged (batch kv group) rows of SDPA's K at tp 2, rank 1.
TEST(Cover, MergedBatchAndHeads) {
  AxisArena arena;
  AxisId kv = arena.leaf(4), merged = arena.product({arena.leaf(4), kv, arena.leaf(2)});
  Assignment assignment;
  assignment.assign(kv, evenIntervals(4, 2));
  EXPECT_EQ(text(cover(arena, merged, assignment, 1)), "4-8 12-16 20-24 28-32");
}

/// Falcon: 8 query heads, one K and one V head in one weight, tp 4, rank 1.
TEST(Cover, MultiQueryKeepsKeysWhole) {
  AxisArena arena;
  AxisId h = arena.leaf(8), heads = arena.concat({h, arena.segment(1), arena.segment(1)}),
         weight = arena.product({heads, arena.leaf(8)});
  Assignment assignment;
  assignment.assign(h, evenIntervals(8, 4));
  EXPECT_EQ(text(cover(arena, weight, assignment, 1)), "16-32 64-80");
}

TEST(Rectangles, ShareKvHeadsAsEvenlyAsPossible) {
  auto heads = [](int64_t kv, int64_t group, int tp) {
    std::string text;
    for (const auto &[k, g] : rectangles(kv, group, tp))
      text += std::to_string((k.end - k.begin) * (g.end - g.begin)) + "@" + std::to_string(k.begin) + " ";
    return text;
  };
  EXPECT_EQ(heads(4, 2, 2), "4@0 4@2 ");
  EXPECT_EQ(heads(3, 2, 4), "2@0 2@1 1@2 1@2 ");
  EXPECT_EQ(heads(4, 2, 8), "1@0 1@0 1@1 1@1 1@2 1@2 1@3 1@3 ");
  EXPECT_EQ(heads(3, 3, 2), "6@0 3@2 ");
}

/// Over all ranks, the covers of a random tree are the whole dimension.
TEST(Cover, TilesTheWhole) {
  std::mt19937 random(3);
  auto pick = [&](int n) { return int(random() % unsigned(n)); };
  for (int round = 0; round < 200; ++round) {
    AxisArena arena;
    AxisId shared = arena.leaf(2 + pick(5));
    std::vector<AxisId> segments;
    for (int s = 0; s < 1 + pick(3); ++s) {
      AxisId other = arena.leaf(2 + pick(3));
      segments.push_back(pick(2) ? arena.product({shared, other}) : arena.product({other, shared}));
    }
    AxisId term = arena.concat(segments);
    int tp = 1 + pick(5);
    Assignment assignment;
    assignment.assign(shared, evenIntervals(arena.size(shared), tp));
    std::vector<int> held(size_t(arena.size(term)), 0);
    for (int c = 0; c < tp; ++c) {
      int64_t count = 0;
      for (Interval i : cover(arena, term, assignment, c))
        for (int64_t at = i.begin; at < i.end; ++at, ++count)
          ++held[size_t(at)];
      EXPECT_EQ(count, localSize(arena, term, assignment, c));
    }
    for (int n : held)
      EXPECT_EQ(n, 1);
  }
}

} // namespace
} // namespace autotp

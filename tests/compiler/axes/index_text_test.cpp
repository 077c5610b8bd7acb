#include "compiler/axes/index_text.h"
#include "compiler/ir/tensor.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

std::vector<Type> types(std::initializer_list<Shape> shapes) {
  std::vector<Type> all;
  for (const Shape &shape : shapes)
    all.push_back({DType::F32, shape});
  return all;
}

IndexTerms terms(AxisArena &arena, const char *text, std::vector<Type> operands, std::vector<Type> results) {
  return instantiateText<Type>(text, arena, operands, results);
}

TEST(IndexText, AProductContractsItsInnerIndex) {
  AxisArena arena;
  IndexTerms t = terms(arena, "... m k, ... k n -> ... m n", types({{5, 2, 3}, {3, 4}}), types({{5, 2, 4}}));
  EXPECT_EQ(t.ins[0][2], t.ins[1][0]);
  EXPECT_EQ(t.outs[0][0], t.ins[0][0]);
  EXPECT_EQ(t.outs[0][2], t.ins[1][1]);
  ASSERT_EQ(t.contracted[0].size(), 1u);
  EXPECT_EQ(t.contracted[0][0], t.ins[0][2]);
  EXPECT_TRUE(t.whole.empty());
}

TEST(IndexText, BroadcastDimensionsHaveNoIndex) {
  AxisArena arena;
  IndexTerms t = terms(arena, "..., ... -> ...", types({{4, 1, 3}, {2, 3}}), types({{4, 2, 3}}));
  EXPECT_EQ(t.ins[0][1], kNoAxis);
  EXPECT_EQ(t.ins[0][2], t.ins[1][1]);
  EXPECT_EQ(t.outs[0][1], t.ins[1][0]);
  EXPECT_TRUE(t.contracted[0].empty());
}

TEST(IndexText, QueryHeadsAreKvTimesGroup) {
  AxisArena arena;
  IndexTerms t = terms(arena, "b s (kv g) d!, b t! kv d!, b t! kv e! -> b s (kv g) e!, b (kv g) s",
                       types({{2, 6, 8, 4}, {2, 6, 4, 4}, {2, 6, 4, 4}}), types({{2, 6, 8, 4}, {2, 8, 6}}));
  auto heads = arena.factors(t.ins[0][2]);
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0], t.ins[1][2]);
  EXPECT_EQ(arena.size(heads[1]), 2);
  EXPECT_EQ(t.whole.size(), 3u);
}

TEST(IndexText, ALookupKeepsTheIndicesOfBothOperands) {
  AxisArena arena;
  IndexTerms t = terms(arena, "v h..., i... -> i... h...", types({{10, 4}, {2, 3}}), types({{2, 3, 4}}));
  EXPECT_EQ(t.outs[0][0], t.ins[1][0]);
  EXPECT_EQ(t.outs[0][2], t.ins[0][1]);
}

TEST(Reshape, IsRefinedFromTheLeft) {
  AxisArena arena;
  ReshapeTerms t = refineReshape(arena, {4, 32, 64}, {128, 8, 8});
  EXPECT_EQ(arena.factors(t.to[0])[0], t.from[0]);
  EXPECT_EQ(arena.factors(t.from[2])[1], t.to[2]);
  EXPECT_TRUE(t.whole.empty());
}

TEST(Reshape, WhatDoesNotAlignIsWhole) {
  AxisArena arena;
  ReshapeTerms t = refineReshape(arena, {4, 9}, {9, 4});
  EXPECT_EQ(t.whole.size(), 4u);
}

} // namespace
} // namespace autotp

// The certificate's parts by themselves: lists of indices, the arena, summands, and the table of rules.
#include "compiler/certify/contents/arena_map.h"
#include "compiler/certify/contents/symbols.h"
#include "compiler/certify/rules/rules.h"
#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

std::string said(llvm::Error error) { return error ? describe(std::move(error)) : ""; }

TEST(IndexLists, EqualListsHaveOneNumber) {
  IndexLists lists;
  EXPECT_EQ(lists.of({{0, 2}, {2, 4}}), lists.whole(4));
  EXPECT_EQ(lists.select(lists.of({{4, 8}, {0, 2}}), lists.of({{3, 5}})), lists.of({{7, 8}, {0, 1}}));
  EXPECT_EQ(lists.positionsIn(lists.of({{7, 8}}), lists.of({{0, 2}, {6, 8}})), lists.of({{3, 4}}));
  EXPECT_EQ(lists.positionsIn(lists.of({{4, 5}}), lists.of({{0, 2}, {6, 8}})), std::nullopt);
}

TEST(IndexLists, ProductsAreFactored) {
  IndexLists lists;
  const ListId rows = lists.of({{1, 3}}), columns = lists.of({{0, 2}});
  const std::optional<ListId> both = lists.product(rows, columns, 4);
  EXPECT_EQ(both, lists.of({{4, 6}, {8, 10}}));
  EXPECT_EQ(lists.split(*both, 4), std::pair(rows, columns));
  EXPECT_EQ(lists.split(lists.of({{4, 6}, {8, 9}}), 4), std::nullopt); // rows differ
  EXPECT_EQ(lists.refold({8, 4}, {rows, columns}, {32}, {}), Lists({*both}));
}

TEST(IndexLists, FreeListsFitAnyOfTheirLength) {
  IndexLists lists;
  EXPECT_TRUE(lists.fits(lists.free(3), lists.of({{5, 8}})));
  EXPECT_FALSE(lists.fits(lists.free(3), lists.of({{5, 9}})));
  EXPECT_FALSE(lists.fits(lists.whole(3), lists.of({{5, 8}})));
}

TEST(ArenaMap, BytesAreReadAsLongAsTheyAreThere) {
  ContentStore store;
  const Content *first = store.add({DType::F32, 64, Stored::State}), *second = store.add({DType::F32, 8, Stored::Sums});
  ArenaMap arena;
  EXPECT_NE(said(arena.read({0, 4}).takeError()).find("hold nothing"), std::string::npos);
  arena.write({0, 64}, Piece{first, 0, 64});
  arena.write({16, 8}, Piece{second, 0, 8});
  llvm::Expected<Pieces> held = arena.read({8, 24});
  ASSERT_TRUE(bool(held));
  ASSERT_EQ(held->size(), 3u);
  EXPECT_EQ((*held)[1].content, second);
  EXPECT_EQ((*held)[2].offset, 24u); // of the first, after what lies over it
  arena.forget(20, 1);
  EXPECT_FALSE(llvm::expectedToOptional(arena.read({16, 8})));
  EXPECT_TRUE(llvm::expectedToOptional(arena.read({24, 8})));
}

TEST(ArenaMap, ASliceIsKnownToItsDpRankAlone) {
  ContentStore store;
  const Content *image = store.add({DType::F32, 32, Stored::State});
  ArenaMap arena;
  const ByteRange slices{0, 16, /*ranks=*/2, /*stride=*/16};
  arena.write(slices, Piece{image, 0, 32});
  EXPECT_TRUE(llvm::expectedToOptional(arena.read(slices)));
  EXPECT_NE(said(arena.read({0, 16}).takeError()).find("one dp rank only"), std::string::npos);
}

/// Summands of y[i] = sum over k of a[i,k] b[k], on a path that has ended.
class Summing : public testing::Test {
protected:
  Summands points(Interval k) {
    const ListId rows = symbols.lists.whole(4), own = symbols.lists.of({k});
    return {kWholePath, {rows}, {own}, {kWholeSpan}, {symbols.lists.whole(8)}};
  }
  std::string complete(llvm::ArrayRef<Summands> summands, Partial kind) {
    return said(symbols.contributions.checkComplete(summands, {symbols.lists.whole(4)}, kind));
  }
  Graph graph;
  Symbols symbols{graph};
};

TEST_F(Summing, EachSummandIsThereOnce) {
  EXPECT_EQ(complete({points({0, 4}), points({4, 8})}, Partial::Sum), "");
  EXPECT_NE(complete({points({0, 4})}, Partial::Sum).find("on no rank"), std::string::npos);
  EXPECT_NE(complete({points({0, 5}), points({4, 8})}, Partial::Sum).find("more than once"), std::string::npos);
  EXPECT_EQ(complete({points({0, 5}), points({4, 8})}, Partial::Max), ""); // of a maximum at least once
  EXPECT_NE(complete({}, Partial::Sum).find("addend is missing"), std::string::npos);
}

/// What is no operator of the graph has a rule of its own; without one it could never be proven.
TEST(Rules, EveryKernelIsAnOperatorOrHasARule) {
  for (unsigned id = 1; id < 256; ++id) {
    const auto kernel = KernelId(id);
    if (nameOf(kernel) == "?" || GlobalValues::rowOf(kernel)) continue;
    EXPECT_NE(&ruleOf(kernel), &operatorCall) << nameOf(kernel).str();
  }
}

} // namespace
} // namespace autotp::test

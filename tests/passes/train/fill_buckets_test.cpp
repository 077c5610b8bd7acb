// Which bucket a parameter lies in, and that the slices of all ranks are each bucket once.
#include "compiler/ir/updates.h"
#include "passes/train/build_steps.h"
#include "passes/train/fill_buckets.h"

#include "compiler/ops/op_def.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// Parameters of so many elements on each tp rank, whose gradients are ready in their order.
struct Model {
  struct Row {
    int64_t elements;
    bool isReplicated, isPartial;
  };

  explicit Model(llvm::ArrayRef<Row> rows) {
    for (const Row &row : rows) {
      const Type type{DType::F32, {row.elements}};
      const ValueId whole = global.addParameter("w", type), own = local.graph.addParameter("w", type);
      const ValueId gradient = Builder(local.graph).make("neg", {own});
      local.parameters.push_back({whole, own, gradient, {}, {}, row.isReplicated, row.isPartial});
    }
  }

  FilledBuckets fill(int tp, int dp, int zero, int tpRank = 0, int64_t bucketBytes = 1 << 20) {
    StepOptions options;
    options.tp = tp;
    options.dp = dp;
    options.zero = zero;
    options.bucketBytes = bucketBytes;
    local.tpRank = tpRank;
    return fillBuckets(global, local, Updates{}, options);
  }

  Graph global;
  LocalProgram local;
};

constexpr Model::Row kRows[] = {
    {100, true, true}, {500, false, false}, {70, true, false}, {300, true, true}, {900, false, false}};

TEST(FillBuckets, EachKindHasItsOwn) {
  FilledBuckets filled = Model(kRows).fill(2, 2, 2);
  std::vector<unsigned> buckets;
  for (const PlacedParameter &parameter : filled.parameters)
    buckets.push_back(parameter.bucket);
  EXPECT_EQ(buckets, (std::vector<unsigned>{0, 1, 2, 0, 1}));
  EXPECT_EQ(filled.parameters[3].begin, 100);
  EXPECT_TRUE(filled.buckets[0].kind.isPartial && filled.buckets[0].kind.isReplicated);
  EXPECT_FALSE(filled.buckets[2].kind.isPartial);
}

TEST(FillBuckets, WithoutSharedStatesOnlyPartialOnesAreApart) {
  EXPECT_EQ(Model(kRows).fill(2, 2, 0).buckets.size(), 2u);
  EXPECT_EQ(Model({{100, true, false}, {500, true, false}}).fill(1, 2, 2).buckets.size(), 1u);
}

TEST(FillBuckets, AFullOneIsFollowedByAnother) {
  FilledBuckets filled = Model(kRows).fill(2, 2, 2, 0, 1400 * 4 - 1);
  EXPECT_EQ(filled.parameters[1].bucket, 1u);
  EXPECT_EQ(filled.parameters[4].bucket, 3u);
  EXPECT_EQ(filled.parameters[4].begin, 0);
}

/// At stage 3 no bucket is larger than the largest parameter's even share: 450 elements of 900.
TEST(FillBuckets, GatheredOnesAreNoLargerThanAParameter) {
  FilledBuckets filled =
      Model({{300, false, false}, {150, false, false}, {1, false, false}, {900, false, false}}).fill(2, 2, 3);
  std::vector<unsigned> buckets;
  for (const PlacedParameter &parameter : filled.parameters)
    buckets.push_back(parameter.bucket);
  EXPECT_EQ(buckets, (std::vector<unsigned>{0, 0, 1, 2}));
}

/// Elements that the slices of all ranks cover: each bucket once for each tp rank, a replicated one once in all.
TEST(FillBuckets, SlicesOfAllRanksAreTheWhole) {
  for (int tp : {1, 2, 3})
    for (int dp : {1, 2, 4})
      for (int zero : {1, 2, 3}) {
        std::vector<std::vector<int>> covered;
        for (int t = 0; t < tp; ++t) {
          FilledBuckets filled = Model(kRows).fill(tp, dp, zero, t);
          covered.resize(filled.buckets.size());
          for (size_t b = 0; b < filled.buckets.size(); ++b) {
            const BucketLayout &bucket = filled.buckets[b];
            const bool isShared = bucket.kind.isReplicated;
            EXPECT_EQ(bucket.own.elements * dp * (isShared ? tp : 1), bucket.elements);
            EXPECT_EQ(bucket.kept.elements, zero == 3 ? bucket.elements / dp : bucket.elements);
            EXPECT_EQ(bucket.accumulated, zero == 1 ? bucket.whole() : bucket.own);
            covered[b].resize(size_t(bucket.elements), 0);
            for (int d = 0; d < dp && (isShared || t == 0); ++d)
              for (int64_t i = 0; i < bucket.own.elements; ++i)
                ++covered[b][size_t(bucket.own.begin + d * bucket.own.dpStride + i)];
          }
        }
        for (const std::vector<int> &bucket : covered)
          EXPECT_TRUE(llvm::all_of(bucket, [](int times) { return times == 1; })) << tp << " " << dp << " " << zero;
      }
}

} // namespace
} // namespace autotp

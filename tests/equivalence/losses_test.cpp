// Losses of several denominators are those of the global batch, however it is divided; what is no number ends a run.
#include "tests/equivalence/fixture.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

class Losses : public testing::TestWithParam<const char *> {};

std::string lossFolder(llvm::StringRef name) { return ("tests/fixtures/losses/" + name).str(); }

/// Ranks and whole micro-batches without an element that counts are among them.
TEST_P(Losses, EqualPyTorchHoweverTheBatchIsDivided) {
  const std::string folder = lossFolder(GetParam());
  const Expected expected = readExpected(folder);
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 1, 0, 1}, Mesh{3, 1, 0, 1}, Mesh{1, 2, 2, 1}, Mesh{1, 4, 1, 1},
                           Mesh{1, 1, 0, 2}, Mesh{1, 1, 0, 4}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 3, 2}, Mesh{4, 4, 2, 1}}) {
    llvm::Expected<Trained> run = train(folder, expected, mesh);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Losses,
                         testing::Values("bounded_mask", "entropy_and_z", "entropy_marked", "entropy_sum",
                                         "masked_mean", "mean_and_masked", "mean_of_samples", "mean_over_mean",
                                         "normalised_weights", "two_means"));

/// What ended a run; "" where nothing did.
std::string endOf(const Mesh &mesh, const RunAs &runAs) {
  const std::string folder = lossFolder("masked_mean");
  llvm::Expected<Trained> run = train(folder, readExpected(folder), mesh, runAs);
  return run ? "" : describe(run.takeError());
}

TEST(NonFinite, AnEmptyDenominatorIsNamed) {
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 1, 0, 1}, Mesh{1, 2, 2, 1}, Mesh{2, 2, 2, 2}}) {
    const std::string end = endOf(mesh, {.feed = "empty.npz"});
    EXPECT_NE(end.find("step 2: its loss is nan"), std::string::npos) << mesh.text() << ": " << end;
    if (mesh.dp * mesh.gradAccum > 1)
      EXPECT_NE(end.find("is 0, and the loss divides by it"), std::string::npos) << mesh.text() << ": " << end;
  }
}

TEST(NonFinite, TheFirstValueIsNamedWithItsRank) {
  const std::string one = endOf({1, 1, 0, 1}, {.feed = "broken.npz"}),
                    two = endOf({2, 2, 2, 1}, {.feed = "broken.npz"}),
                    small = endOf({1, 2, 2, 1}, {.dtype = DType::BF16, .feed = "broken.npz"}),
                    accumulated = endOf({2, 1, 0, 2}, {.feed = "broken.npz"});
  EXPECT_NE(one.find("of node 'node_sub"), std::string::npos) << one;
  EXPECT_NE(one.find("on rank 0 in micro-step 1"), std::string::npos) << one;
  EXPECT_NE(two.find("on rank 2 in micro-step 1"), std::string::npos) << two;
  EXPECT_NE(small.find("on rank 1 in micro-step 1"), std::string::npos) << small;
  EXPECT_NE(accumulated.find("of node 'node_sub"), std::string::npos) << accumulated;
  EXPECT_NE(accumulated.find("on rank 0 in micro-step 2"), std::string::npos) << accumulated;
}

TEST(LossInSmallFloats, IsThatOfTheGlobalBatch) {
  const std::string folder = lossFolder("two_means");
  const Expected expected = readExpected(folder);
  for (DType dtype : {DType::BF16, DType::F16}) {
    llvm::Expected<Trained> whole = train(folder, expected, {1, 1, 0, 1}, {.dtype = dtype}),
                            parts = train(folder, expected, {2, 2, 2, 2}, {.dtype = dtype});
    ASSERT_TRUE(whole && parts);
    constexpr double kSmall = 2e-2; // of 8 bits
    for (size_t i = 0; i < whole->losses.size(); ++i) {
      EXPECT_NEAR(parts->losses[i] / whole->losses[i], 1, kSmall);
      EXPECT_NEAR(parts->losses[i] / expected.losses[i], 1, kSmall);
    }
  }
}

} // namespace
} // namespace autotp::test

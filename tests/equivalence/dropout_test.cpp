// Dropout is the same whatever the mesh, the micro-batch and the accumulation: masks are functions of where elements lie.
#include "tests/equivalence/fixture.h"
#include "tests/equivalence/model_with_dropout.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

class Dropout : public testing::TestWithParam<const char *> {};

TEST_P(Dropout, IsTheSameOnEveryMesh) {
  const ModelWithDropout model(GetParam());
  Expected expected = readExpected(GetParam());
  expected.steps = 3;
  llvm::Expected<Trained> whole = train(GetParam(), expected, {1, 1, 0, 1}, {.model = model.path()});
  ASSERT_TRUE(bool(whole)) << describe(whole.takeError());
  EXPECT_GT(std::abs(whole->losses[0] - expected.losses[0]), 1e-3) << "something is dropped";
  auto expectSame = [&](const Mesh &mesh, const RunAs &runAs) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh, runAs);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    ASSERT_EQ(run->losses.size(), whole->losses.size());
    for (size_t i = 0; i < run->losses.size(); ++i)
      EXPECT_NEAR(run->losses[i] / whole->losses[i], 1, i ? 2e-4 : 2e-6) << mesh.text() << " step " << i + 1;
  };
  for (const Mesh &mesh : {Mesh{2, 1, 0, 1}, Mesh{4, 1, 0, 1}, Mesh{3, 1, 0, 1}, Mesh{1, 2, 2, 1}, Mesh{1, 4, 1, 1},
                           Mesh{1, 1, 0, 2}, Mesh{1, 1, 0, 4}, Mesh{1, 2, 2, 2}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 3, 1}})
    expectSame(mesh, {.model = model.path()});
  if (std::string(GetParam()) != "mlp") expectSame({2, 2, 2, 1}, {.sequenceParallel = true, .model = model.path()});
  expectSame({2, 2, 2, 1}, {.recognise = false, .recompute = Recompute::Layer, .model = model.path()});
}

TEST_P(Dropout, IsTheSameInSmallFloats) {
  const ModelWithDropout model(GetParam());
  Expected expected = readExpected(GetParam());
  expected.steps = 3;
  for (DType dtype : {DType::BF16, DType::F16}) {
    const RunAs runAs{.dtype = dtype, .lossScale = {1024, 2000}, .model = model.path()};
    llvm::Expected<Trained> one = train(GetParam(), expected, {1, 1, 0, 1}, runAs),
                            run = train(GetParam(), expected, {2, 2, 3, 2}, runAs);
    ASSERT_TRUE(bool(one)) << describe(one.takeError());
    ASSERT_TRUE(bool(run)) << describe(run.takeError());
    for (size_t i = 0; i < one->losses.size(); ++i) // sums that are rounded in another order
      EXPECT_NEAR(run->losses[i] / one->losses[i], 1, 5e-3) << nameOf(dtype).str() << " step " << i + 1;
  }
}

TEST_P(Dropout, FollowsTheSeedAndTheStep) {
  const ModelWithDropout model(GetParam());
  Expected expected = readExpected(GetParam());
  expected.optimizer.lr.peak = 0; // what differs between steps are the batch and the mask alone
  expected.steps = 2;
  auto seeded = [](int64_t seed) {
    return [seed](const TrainOptions &options) {
      TrainOptions own = options;
      own.seed = seed;
      own.feed.clear(); // synthetic
      return autotp::train(own);
    };
  };
  auto losses = [&](int64_t seed) {
    return llvm::cantFail(train(GetParam(), expected, {1, 1, 0, 1}, {.run = seeded(seed), .model = model.path()}))
        .losses;
  };
  const std::vector<double> one = losses(1), again = losses(1), two = losses(2);
  EXPECT_EQ(one, again);
  EXPECT_NE(one[0], two[0]);
  EXPECT_NE(one[1], two[1]);
}

INSTANTIATE_TEST_SUITE_P(Equivalence, Dropout, testing::Values("llama", "gpt2", "mlp"), fixtureTestName);

} // namespace
} // namespace autotp::test

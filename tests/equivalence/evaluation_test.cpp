// The loss of an evaluation: that of the model without dropout, on any mesh; and training goes on as if there were none.
#include "tests/equivalence/fixture.h"
#include "tests/equivalence/model_with_dropout.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

#include <numeric>

namespace autotp::test {
namespace {

/// Trains on the recorded batches, and evaluates as many of them after each step. Puts the losses of the evaluations into
/// `evaluated`.
RunAs evaluating(std::vector<double> &evaluated, int64_t batches, RunAs runAs = {}) {
  runAs.run = [&evaluated, batches](const TrainOptions &options) {
    TrainOptions own = options;
    own.evalEvery = 1;
    own.evalFeed = options.feed;
    own.evalSteps = batches;
    llvm::Error error = autotp::train(own);
    evaluated = readLog(own.log, "eval_loss");
    return error;
  };
  return runAs;
}

std::vector<double> lossesOf(const std::string &fixture, const Expected &expected, const Mesh &mesh,
                             const RunAs &runAs = {}) {
  llvm::Expected<Trained> run = train(fixture, expected, mesh, runAs);
  EXPECT_TRUE(bool(run)) << fixture << " " << mesh.text() << ": " << (run ? "" : describe(run.takeError()));
  return run ? run->losses : std::vector<double>();
}

const Mesh kMeshes[] = {{1, 1, 0, 1}, {2, 1, 0, 1}, {3, 1, 0, 2}, {1, 2, 2, 1}, {2, 2, 2, 1}, {2, 2, 3, 1}};

class Evaluation : public testing::TestWithParam<const char *> {};
class EvaluationOfEqualBatches : public testing::TestWithParam<const char *> {}; ///< all labels count

/// Nothing is learned, so step i computes the loss of batch i under the weights that all evaluations see.
TEST_P(EvaluationOfEqualBatches, IsTheMeanOfTheirLosses) {
  Expected expected = readExpected(GetParam());
  expected.optimizer.lr.peak = 0;
  expected.steps = 3;
  const std::vector<double> losses = lossesOf(GetParam(), expected, {1, 1, 0, 1});
  const double mean = std::accumulate(losses.begin(), losses.end(), 0.0) / double(losses.size());
  for (const Mesh &mesh : kMeshes) {
    std::vector<double> evaluated;
    lossesOf(GetParam(), expected, mesh, evaluating(evaluated, expected.steps));
    ASSERT_EQ(evaluated.size(), size_t(expected.steps)) << mesh.text();
    for (double loss : evaluated)
      EXPECT_NEAR(loss / mean, 1, 1e-5) << mesh.text();
  }
}

TEST_P(Evaluation, DropsNothing) {
  const ModelWithDropout model(GetParam());
  Expected expected = readExpected(GetParam());
  expected.optimizer.lr.peak = 0;
  expected.steps = 1;
  const double whole = lossesOf(GetParam(), expected, {1, 1, 0, 1})[0];
  for (const Mesh &mesh : kMeshes) {
    std::vector<double> evaluated;
    const RunAs runAs = evaluating(evaluated, 1, {.model = model.path()});
    EXPECT_GT(std::abs(lossesOf(GetParam(), expected, mesh, runAs).at(0) / whole - 1), 1e-4)
        << "training drops something";
    EXPECT_NEAR(evaluated.at(0) / whole, 1, 1e-5) << mesh.text();
  }
}

/// Also with accumulation, ZeRO 3 and dropout, to the last bit.
TEST_P(Evaluation, TrainingGoesOnAsIfThereWereNone) {
  const ModelWithDropout model(GetParam());
  const Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{1, 1, 0, 2}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 3, 1}})
    for (const std::string &path : {std::string(), model.path()}) {
      std::vector<double> evaluated;
      EXPECT_EQ(lossesOf(GetParam(), expected, mesh, evaluating(evaluated, 2, {.model = path})),
                lossesOf(GetParam(), expected, mesh, {.model = path}))
          << mesh.text();
      EXPECT_LT(evaluated.back(), evaluated.front()) << "it sees what was learned";
    }
}

INSTANTIATE_TEST_SUITE_P(Equivalence, EvaluationOfEqualBatches, testing::Values("gpt2", "mlp"), fixtureTestName);
INSTANTIATE_TEST_SUITE_P(Equivalence, Evaluation, testing::Values("llama", "gpt2", "mlp"), fixtureTestName);

class EvaluationOfLosses : public testing::TestWithParam<const char *> {};

/// Of several denominators, which are sums over the batch that is evaluated.
TEST_P(EvaluationOfLosses, EqualsPyTorch) {
  const std::string folder = std::string("tests/fixtures/losses/") + GetParam();
  Expected expected = readExpected(folder);
  expected.optimizer.lr.peak = 0;
  for (const Mesh &mesh : kMeshes) {
    std::vector<double> evaluated;
    lossesOf(folder, expected, mesh, evaluating(evaluated, 1));
    for (double loss : evaluated)
      EXPECT_NEAR(loss / expected.losses[0], 1, 1e-5) << mesh.text();
  }
}

INSTANTIATE_TEST_SUITE_P(All, EvaluationOfLosses,
                         testing::Values("bounded_mask", "entropy_sum", "masked_mean", "mean_and_masked",
                                         "mean_of_samples", "two_means"));

} // namespace
} // namespace autotp::test

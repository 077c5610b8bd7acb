// Every fixture on every mesh trains to PyTorch's numbers: losses, gradients and final weights.
#include "tests/equivalence/fixture.h"
#include "tests/fixtures/run_fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

/// tp and dp in {1, 2, 4}, at most 8 ranks; every stage; accumulation wherever the global batch divides.
std::vector<Mesh> allMeshes(const Expected &expected) {
  std::vector<Mesh> meshes;
  for (int tp : {1, 2, 4})
    for (int dp : {1, 2, 4})
      for (int zero : {0, 1, 2, 3})
        for (int accum : {1, 2})
          if (tp * dp <= 8 && expected.globalBatch % (dp * accum) == 0) meshes.push_back({tp, dp, zero, accum});
  return meshes;
}

/// What must be sharded wherever tp > 1: two layers of heads (by KV group, and by the query heads of a group if there are
/// more ranks than groups) and ffn, the vocabulary of the embedding and of the head, which are one where they are tied;
/// every second product of the mlp.
std::vector<int64_t> expectedAxes(llvm::StringRef fixture, int tp) {
  if (fixture == "mlp") return {10, 128};
  std::vector<int64_t> grouped = {4, 4, 176, 176, 256};
  if (tp > 4) grouped.insert(grouped.begin(), {2, 2});
  if (fixture == "llama-tied-logits" || fixture == "qwen3") return grouped;
  grouped.push_back(256);
  if (fixture.startswith("llama")) return grouped;
  if (tp > 4) return {256, 256, 256}; // four heads without groups stay whole on more ranks
  if (fixture == "bert-mlm" && tp == 2) return {2, 4, 4, 256, 256, 256}; // with the table of token types
  return {4, 4, 256, 256, 256};
}

class Fixtures : public testing::TestWithParam<const char *> {};
class Sequences : public Fixtures {};

TEST_P(Fixtures, AllMeshesEqualPyTorch) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : allMeshes(expected)) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    if (mesh.tp > 1) ASSERT_EQ(run->shardedSizes, expectedAxes(GetParam(), mesh.tp)) << mesh.text();
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// Heads, ffn and vocabulary that tp does not divide, and more ranks than KV heads.
TEST_P(Fixtures, UnevenMeshesEqualPyTorch) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{3, 1, 0, 1}, Mesh{3, 2, 2, 1}, Mesh{3, 2, 3, 1}, Mesh{5, 1, 0, 1}, Mesh{8, 1, 1, 1},
                           Mesh{8, 2, 2, 2}, Mesh{8, 2, 3, 2}}) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    if (mesh.tp > 1) ASSERT_EQ(run->shardedSizes, expectedAxes(GetParam(), mesh.tp)) << mesh.text();
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

TEST_P(Fixtures, RepeatedRunsAreBitIdentical) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}}) {
    Trained first = llvm::cantFail(train(GetParam(), expected, mesh)),
            second = llvm::cantFail(train(GetParam(), expected, mesh));
    EXPECT_EQ(first.losses, second.losses) << mesh.text();
    EXPECT_EQ(first.weights, second.weights) << mesh.text();
  }
}

/// What is computed again has the same bits as what was kept.
TEST_P(Fixtures, RecomputedRunsAreBitIdentical) {
  Expected expected = readExpected(GetParam());
  expected.steps = 2;
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}})
    for (auto [what, isRecognised] : {std::pair(Recompute::Layer, true), {Recompute::Attention, false}}) {
      const Trained kept = llvm::cantFail(train(GetParam(), expected, mesh, {.recognise = isRecognised})),
                    again = llvm::cantFail(
                        train(GetParam(), expected, mesh, {.recognise = isRecognised, .recompute = what}));
      EXPECT_EQ(kept.losses, again.losses) << mesh.text();
      EXPECT_EQ(kept.gradients, again.gradients) << mesh.text();
      EXPECT_EQ(kept.weights, again.weights) << mesh.text();
    }
}

/// Where parameters lie between uses changes no number: stage 3 computes what stage 2 does.
TEST_P(Fixtures, GatheredParametersAreBitIdentical) {
  Expected expected = readExpected(GetParam());
  expected.optimizer.clipGradNorm = 0; // else the sum of squares, which is taken by bucket, decides
  for (const Mesh &mesh : {Mesh{1, 2, 2, 1}, Mesh{2, 2, 2, 2}}) {
    Trained kept = llvm::cantFail(train(GetParam(), expected, mesh)),
            gathered = llvm::cantFail(train(GetParam(), expected, {mesh.tp, mesh.dp, 3, mesh.gradAccum}));
    EXPECT_EQ(kept.losses, gathered.losses) << mesh.text();
    EXPECT_EQ(kept.weights, gathered.weights) << mesh.text();
  }
}

/// The same numbers where norms and residual sums hold parts of the sequence, which tp need not divide.
TEST_P(Sequences, InPartsEqualPyTorch) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh :
       {Mesh{2, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 3, 1}, Mesh{4, 2, 1, 2}, Mesh{3, 1, 0, 1}, Mesh{5, 1, 0, 1}}) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh, {.sequenceParallel = true});
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// A missed idiom costs speed, never correctness.
TEST_P(Fixtures, WithoutRecognitionTheNumbersAreTheSame) {
  Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}}) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh, {.recognise = false});
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    if (mesh.tp > 1) ASSERT_EQ(run->shardedSizes, expectedAxes(GetParam(), mesh.tp)) << mesh.text();
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// Frozen weights are constants: they are cut like parameters, and the rest trains as on one rank.
TEST(Frozen, WeightsTrainNowhere) {
  for (const auto &[fixture, freeze] : {std::pair("llama", "_proj"), std::pair("gpt2", "wte|c_attn")}) {
    Expected expected = readExpected(fixture);
    std::optional<Trained> alone;
    for (const Mesh &mesh : {Mesh{1, 1, 2, 1}, Mesh{2, 2, 2, 1}, Mesh{3, 1, 3, 1}, Mesh{4, 2, 3, 2}}) {
      llvm::Expected<Trained> run = train(fixture, expected, mesh, {.freeze = freeze});
      ASSERT_TRUE(bool(run)) << fixture << " " << mesh.text() << ": " << describe(run.takeError());
      EXPECT_LT(run->gradients.size(), expected.gradients.size());
      if (!alone) alone = *run;
      for (size_t i = 0; i < alone->losses.size() && run->losses.size() == alone->losses.size(); ++i)
        EXPECT_NEAR(run->losses[i], alone->losses[i], 1e-6 * alone->losses[i]) << fixture << " " << mesh.text();
      EXPECT_EQ(run->gradients.size(), alone->gradients.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Equivalence, Sequences,
                         testing::ValuesIn(std::begin(kFixtures) + 1, std::end(kFixtures)), // all but the mlp
                         fixtureTestName);
INSTANTIATE_TEST_SUITE_P(Equivalence, Fixtures, testing::ValuesIn(kFixtures), fixtureTestName);

} // namespace
} // namespace autotp::test

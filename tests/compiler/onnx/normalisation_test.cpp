/// \file Batch normalisation: whose statistics it uses, and what becomes of them.
#include "tests/compiler/onnx/model_file.h"

#include <cmath>

namespace autotp {
namespace {

using namespace test;

/// Of x [2, 2, 2] with scale 2 and bias 1 for the first channel, 1 and 0 for the second.
ModelFile batchNorm(bool isTraining, const std::string &output) {
  ModelFile file;
  file.initializer(floats("x", {2, 2, 2}, {1, 1, 0, 2, 3, 3, 4, 6}));
  file.initializer(floats("scale", {2}, {2, 1}));
  file.initializer(floats("bias", {2}, {1, 0}));
  file.initializer(floats("mean", {2}, {1, 2}));
  file.initializer(floats("variance", {2}, {4, 1}));
  file.node("BatchNormalization", {"x", "scale", "bias", "mean", "variance"}, {"y", "new_mean", "new_variance"},
            {floatAttribute("epsilon", 0), intAttribute("training_mode", isTraining)});
  file.output(output);
  return file;
}

void expectValues(const ModelFile &file, const std::vector<double> &wanted) {
  auto model = file.import();
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  auto values = evaluateGraph(model->graph, Sources());
  ASSERT_TRUE(bool(values)) << describe(values.takeError());
  const Array &found = (*values)[model->graph.outputs[0].value];
  ASSERT_EQ(found.data.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(found.data[i], wanted[i], 1e-6) << i;
}

TEST(BatchNormalization, UsesRunningStatistics) { expectValues(batchNorm(false, "y"), {1, 1, -2, 0, 3, 3, 2, 4}); }

TEST(BatchNormalization, InTrainingUsesTheBatchs) { // of 1 1 3 3: mean 2, variance 1; of 0 2 4 6: mean 3, variance 5
  const double d = 1 / std::sqrt(5.0);
  expectValues(batchNorm(true, "y"), {-1, -1, -3 * d, -d, 3, 3, d, 3 * d});
}

TEST(BatchNormalization, SaysWhatBecomesOfTheStatistics) {
  auto model = batchNorm(true, "y").import();
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(model->untrained, (std::vector<std::string>{"mean", "variance"}));
  ASSERT_EQ(model->notes.size(), 1u);
  EXPECT_NE(model->notes[0].find("running statistics"), std::string::npos);
  EXPECT_NE(refusal(batchNorm(true, "new_mean").import()).find("that result is not supported"), std::string::npos);
}

/// Ones and zeros of an InstanceNormalization are parameters, unless it is how a GroupNorm is written.
TEST(InstanceNormalization, OfGroupsHasNoParametersOfItsOwn) {
  for (bool isGrouped : {false, true}) {
    ModelFile file;
    file.input("x", {2, isGrouped ? 4 : 2, 3});
    file.initializer(integers("groups", {2, 2, -1}));
    file.initializer(floats("ones", {2}, {1, 1}));
    file.initializer(floats("zeros", {2}, {0, 0}));
    file.node("Reshape", {"x", "groups"}, {"grouped"});
    file.node("InstanceNormalization", {"grouped", "ones", "zeros"}, {"y"});
    file.output("y");
    auto model = file.import();
    ASSERT_TRUE(bool(model)) << describe(model.takeError());
    EXPECT_EQ(model->untrained.size(), isGrouped ? 2u : 0u);
  }
}

} // namespace
} // namespace autotp

// What is trained, by its role in the graph; and equal nodes over equal constants.
#include "passes/import/canonicalise.h"
#include "passes/import/classify_parameters.h"

#include "passes/import/parameter_roles.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <cmath>
#include <gtest/gtest.h>

namespace autotp {
namespace {

/// The names of those that are trained, beside %head.
std::string trained(const std::string &lines, double lastOfS = 1) {
  Graph graph = graphOf("graph {\n  input %x : f32[2,6,4]\n  input %ids : i64[2,6]\n  parameter %head : f32[4,4]\n"
                        "  %h = matmul(%x, %head) {trans_a=0, trans_b=0} : f32[2,6,4]\n" +
                        lines + "  return y=%y, h=%h\n}\n");
  std::vector<ValueId> initializers = graph.sources(ValueKind::Parameter);
  for (ValueId id : initializers) { // as a file gives them: all ones, but for one element
    Array contents(graph.type(id));
    std::fill(contents.data.begin(), contents.data.end(), 1);
    if (graph.value(id).name == "s") contents.data.back() = lastOfS;
    graph.value(id).contents = toTensor(contents);
  }
  ParameterOverrides assume;
  assume.assumesRoles = true;
  std::vector<ClassifiedInitializer> classified;
  llvm::cantFail(classifyParameters(graph, initializers, {assume, {}, {}}, classified));
  std::string names;
  for (const ParameterInfo &parameter : graph.parameters)
    if (graph.value(parameter.value).name != "head") names += graph.value(parameter.value).name + " ";
  return names;
}

TEST(RolesOfParameters, FormulasOfWeights) {
  EXPECT_EQ(trained("  parameter %w : f32[4,4]\n  parameter %a : f32[4,2]\n  parameter %b : f32[2,4]\n"
                    "  %d = matmul(%a, %b) {trans_a=0, trans_b=0} : f32[4,4]\n  %v = add(%w, %d) : f32[4,4]\n"
                    "  %y = matmul(%h, %v) {trans_a=0, trans_b=0} : f32[2,6,4]\n"),
            "w a b ");
  EXPECT_EQ(trained("  parameter %g : f32[4]\n  %s = sigmoid(%g) : f32[4]\n  %y = mul(%h, %s) : f32[2,6,4]\n"), "g ");
}

/// The past of a decoder, as it is where nothing has come before.
TEST(RolesOfParameters, WhatHasNoElementsIsNone) {
  EXPECT_EQ(trained("  parameter %past : f32[2,0,4]\n  %y = concat(%past, %h) {axis=1} : f32[2,6,4]\n"), "");
}

TEST(RolesOfParameters, RunningStatisticsAreNone) {
  auto trains = [](const ParameterOverrides &overrides) {
    Graph graph = graphOf("graph {\n  input %x : f32[2,4]\n  parameter %scale : f32[4]\n  parameter %mean : f32[4]\n"
                          "  %c = sub(%x, %mean) : f32[2,4]\n  %y = mul(%c, %scale) : f32[2,4]\n  return y=%y\n}\n");
    std::vector<ValueId> initializers = graph.sources(ValueKind::Parameter);
    for (ValueId id : initializers)
      graph.value(id).contents = filledTensor(graph.type(id), 2);
    const std::vector<std::string> untrained = {"mean"};
    std::vector<ClassifiedInitializer> classified;
    llvm::cantFail(
        classifyParameters(graph, initializers, {overrides, {}, {}, Exporter::Unknown, untrained}, classified));
    return graph.parameters.size();
  };
  EXPECT_EQ(trains({}), 1u);
  ParameterOverrides said;
  said.train = "mean";
  EXPECT_EQ(trains(said), 2u); // unless the user says so
}

TEST(RolesOfParameters, RelativePositionsThroughAProductOfTheirOwn) {
  EXPECT_EQ(trained("  parameter %table : f32[6,4]\n  parameter %scale : f32[4]\n  parameter %w : f32[4,4]\n"
                    "  %n, %r = rms_norm(%table, %scale) {epsilon=1e-5} : f32[6,4], f32[6]\n"
                    "  %k = matmul(%n, %w) {trans_a=0, trans_b=0} : f32[6,4]\n"
                    "  %y = matmul(%h, %k) {trans_a=0, trans_b=1} : f32[2,6,6]\n"),
            "table scale w ");
}

TEST(RolesOfParameters, AVectorAlongAnyDimension) {
  EXPECT_EQ(trained("  parameter %slope : f32[6,1]\n  %y = mul(%h, %slope) : f32[2,6,4]\n"), "slope ");
  EXPECT_EQ(trained("  parameter %token : f32[4]\n  constant %none : i64[] = {0}\n"
                    "  %is = equal(%ids, %none) : bool[2,6]\n  %at = reshape(%is) : bool[2,6,1]\n"
                    "  %y = where(%at, %token, %h) : f32[2,6,4]\n"),
            "token ");
}

TEST(RolesOfParameters, SlopesOfPositionsAndMasksAreNone) {
  const std::string scores = "  %s = matmul(%h, %h) {trans_a=0, trans_b=1} : f32[2,6,6]\n";
  EXPECT_EQ(trained(scores + "  parameter %slope : f32[6,1]\n  %f = cast(%ids) : f32[2,6]\n"
                             "  %g = reshape(%f) : f32[2,1,6]\n  %m = mul(%g, %slope) : f32[2,6,6]\n"
                             "  %t = add(%s, %m) : f32[2,6,6]\n  %y = softmax(%t) : f32[2,6,6]\n"),
            "");
  EXPECT_EQ(trained(scores + "  parameter %mask : f32[6,6]\n  %t = add(%s, %mask) : f32[2,6,6]\n"
                             "  %y = softmax(%t) : f32[2,6,6]\n"),
            "");
}

TEST(RolesOfParameters, FrequenciesAreNone) {
  EXPECT_EQ(trained("  parameter %frequencies : f32[1,4]\n  %f = cast(%ids) : f32[2,6]\n"
                    "  %g = reshape(%f) : f32[2,6,1]\n"
                    "  %angle = matmul(%g, %frequencies) {trans_a=0, trans_b=0} : f32[2,6,4]\n"
                    "  %c = cos(%angle) : f32[2,6,4]\n  %y = mul(%h, %c) : f32[2,6,4]\n"),
            "");
  EXPECT_EQ(trained("  parameter %frequencies : f32[4]\n  constant %at : f32[6,1] = {0, 1, 2, 3, 4, 5}\n"
                    "  %angle = mul(%at, %frequencies) : f32[6,4]\n  %c = cos(%angle) : f32[6,4]\n"
                    "  %y = mul(%h, %c) : f32[2,6,4]\n"),
            "");
}

/// An exporter gives all norms without a scale one vector of ones.
TEST(RolesOfParameters, OnesThatNormsWithoutAScaleShare) {
  auto norms = [](const std::string &bias, double lastOfS) {
    return trained("  parameter %s : f32[4]\n  " + bias +
                       "  %a, %b, %c = layer_norm(%h, %s, %z) {epsilon=1e-5} : f32[2,6,4], f32[2,6], f32[2,6]\n"
                       "  %y, %d, %e = layer_norm(%a, %s, %z) {epsilon=1e-5} : f32[2,6,4], f32[2,6], f32[2,6]\n",
                   lastOfS);
  };
  EXPECT_EQ(norms("constant %z : f32[4] = {0, 0, 0, 0}\n", 1), "");
  EXPECT_EQ(norms("constant %z : f32[4] = {0, 0, 0, 0}\n", 2), "s ");
  EXPECT_EQ(norms("parameter %z : f32[4]\n", 1), "s z ");
}

/// What is said of %w, whose contents are given.
std::string roleOf(const std::string &lines, const std::vector<double> &contents) {
  Graph graph = graphOf("graph {\n  input %x : f32[2,6,4]\n  input %t : f32[2,6,4]\n  parameter %head : f32[4,4]\n"
                        "  %h = matmul(%x, %head) {trans_a=0, trans_b=0} : f32[2,6,4]\n" +
                        lines + "}\n");
  for (ValueId id : graph.sources(ValueKind::Parameter)) {
    Array array(graph.type(id));
    for (size_t i = 0; i < array.data.size(); ++i)
      array.data[i] = contents[i % contents.size()];
    graph.value(id).contents = toTensor(array);
  }
  const ParameterRoles roles(graph);
  for (ValueId id : graph.sources(ValueKind::Parameter))
    if (graph.value(id).name == "w") {
      const ParameterRole role = roles.of(id);
      constexpr const char *kKinds[] = {"unknown", "trained", "constant"};
      return kKinds[size_t(role.kind)] + (role.why.empty() ? "" : ": " + role.why.str());
    }
  return "there is no %w";
}

const std::vector<double> kAny = {0.3, -1.2, 0.7, 2.1, -0.4};
const char *const kTrained = "trained: its role in the graph";

const char *const kScores = "  %s = matmul(%h, %h) {trans_a=0, trans_b=1} : f32[2,6,6]\n";

TEST(RolesOfParameters, MasksThatReachASoftmaxByOtherWays) {
  const std::string masked = std::string(kScores) + "  parameter %w : f32[6,6]\n  %m = add(%s, %w) : f32[2,6,6]\n";
  const std::string joined = masked + "  parameter %sink : f32[2,6,1]\n  %j = concat(%m, %sink) {axis=2} : f32[2,6,7]\n"
                                      "  %y = softmax(%j) : f32[2,6,7]\n  return y=%y\n";
  const std::string decayed = masked + "  %y = exp(%m) : f32[2,6,6]\n  return y=%y\n";
  for (const std::string &graph : {joined, decayed})
    for (double low : {-1e4, -1e9, -3.4028234663852886e38, double(-INFINITY)})
      EXPECT_EQ(roleOf(graph, {0, low, low}), "constant: a mask") << low;
  EXPECT_EQ(roleOf(joined, kAny), "unknown");
  EXPECT_EQ(roleOf(joined, {0, -0.5, -1, -1.5, -2, -2.5}), "constant: slopes of positions");
}

TEST(RolesOfParameters, ATableThatScales) {
  const std::string scaled = "  parameter %w : f32[6,4]\n  %e = exp(%w) : f32[6,4]\n  %n = neg(%e) : f32[6,4]\n"
                             "  %y = mul(%h, %n) : f32[2,6,4]\n  return y=%y\n";
  EXPECT_EQ(roleOf(scaled, kAny), "trained: it scales something learned");
  const std::string cut = "  parameter %w : f32[6,4]\n  %y = mul(%h, %w) : f32[2,6,4]\n  return y=%y\n";
  EXPECT_EQ(roleOf(cut, {0, 1, 1}), "constant: a mask of zeros and ones");
  EXPECT_EQ(roleOf(cut, {std::cos(0.3), std::sin(0.3), std::cos(1.1), std::sin(1.1)}),
            "constant: a table of rotations");
  const std::string decay =
      std::string(kScores) + "  parameter %w : f32[6,6]\n  %y = mul(%s, %w) : f32[2,6,6]\n  return y=%y\n";
  EXPECT_EQ(roleOf(decay, kAny), "unknown");
}

TEST(RolesOfParameters, AScaleForEachHead) {
  EXPECT_EQ(roleOf("  parameter %w : f32[4]\n  %v = reshape(%w) : f32[2,1,2]\n  %q = reshape(%h) : f32[2,6,2,2]\n"
                   "  %r = transpose(%q) {perm=[0,2,1,3]} : f32[2,2,6,2]\n  %y = mul(%r, %v) : f32[2,2,6,2]\n"
                   "  return y=%y\n",
                   {1}),
            "trained: it scales something learned");
}

TEST(RolesOfParameters, SingleNumbers) {
  EXPECT_EQ(
      roleOf("  parameter %w : f32[]\n  %e = exp(%w) : f32[]\n  %y = mul(%h, %e) : f32[2,6,4]\n  return y=%y\n", {2.6}),
      kTrained);
  EXPECT_EQ(roleOf("  parameter %w : f32[]\n  %y = mul(%h, %w) : f32[2,6,4]\n  return y=%y\n", {0.5}),
            "constant: a number");
  EXPECT_EQ(roleOf("  parameter %one : f32[4,1]\n  parameter %w : f32[1]\n"
                   "  %p = matmul(%h, %one) {trans_a=0, trans_b=0} : f32[2,6,1]\n  %y = add(%p, %w) : f32[2,6,1]\n"
                   "  return y=%y\n",
                   {0.5}),
            kTrained);
}

TEST(RolesOfParameters, WeightsOfALoss) {
  const std::string terms = "  %e = exp(%h) : f32[2,6,4]\n";
  const std::string sum = "  %loss = reduce_sum(%m) {axes=[0,1,2], keepdims=0} : f32[]\n  return loss=%loss\n";
  EXPECT_EQ(roleOf("  parameter %w : f32[4]\n  constant %one : f32[] = {1}\n" + terms +
                       "  %v = sub(%w, %one) : f32[4]\n  %p = mul(%v, %t) : f32[2,6,4]\n"
                       "  %q = add(%p, %one) : f32[2,6,4]\n  %m = mul(%q, %e) : f32[2,6,4]\n" +
                       sum,
                   kAny),
            "constant: weights of a loss's terms");
  EXPECT_EQ(
      roleOf("  parameter %w : f32[4]\n  %v = mul(%h, %w) : f32[2,6,4]\n  %m = exp(%v) : f32[2,6,4]\n" + sum, kAny),
      kTrained);
}

TEST(RolesOfParameters, WhatScalesTheInputItselfMayBeADeviation) {
  EXPECT_EQ(roleOf("  parameter %w : f32[4]\n  %v = sub(%x, %w) : f32[2,6,4]\n"
                   "  %y = matmul(%v, %head) {trans_a=0, trans_b=0} : f32[2,6,4]\n  return y=%y\n",
                   kAny),
            "unknown");
}

TEST(RolesOfParameters, SinesOfPositionsThatAreAdded) {
  std::vector<double> table;
  for (int position = 0; position < 6; ++position)
    for (double rate : {1.0, 0.01})
      table.insert(table.end(), {std::sin(position * rate), std::cos(position * rate)});
  const std::string added = "  parameter %w : f32[6,4]\n  %y = add(%h, %w) : f32[2,6,4]\n  return y=%y\n";
  EXPECT_EQ(roleOf(added, table), "constant: sines of positions");
  EXPECT_EQ(roleOf(added, kAny), kTrained);
}

/// An exporter writes a table once for each of its uses.
TEST(Canonicalise, EqualNodesOverEqualConstants) {
  Graph graph =
      graphOf("graph {\n  input %x : f32[2,3]\n  constant %a : f32[3] = {1, 2, 3}\n  constant %b : f32[3] = {1, 2, 3}\n"
              "  constant %c : f32[3] = {1, 2, 4}\n  %p = mul(%x, %a) : f32[2,3]\n"
              "  %q = mul(%x, %b) : f32[2,3]\n  %r = mul(%x, %c) : f32[2,3]\n"
              "  return p=%p, q=%q, r=%r\n}\n");
  llvm::cantFail(canonicalise(graph));
  EXPECT_EQ(graph.outputs[0].value, graph.outputs[1].value);
  EXPECT_NE(graph.outputs[0].value, graph.outputs[2].value);
}

} // namespace
} // namespace autotp

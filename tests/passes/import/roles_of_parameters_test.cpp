// What is trained, by its role in the graph; and equal nodes over equal constants.
#include "passes/import/canonicalise.h"
#include "passes/import/classify_parameters.h"

#include "tests/compiler/ir/parsed_graph.h"

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
  llvm::cantFail(classifyParameters(graph, initializers, {}));
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

TEST(RolesOfParameters, RunningStatisticsAreNone) {
  auto trains = [](const ParameterOverrides &overrides) {
    Graph graph = graphOf("graph {\n  input %x : f32[2,4]\n  parameter %scale : f32[4]\n  parameter %mean : f32[4]\n"
                          "  %c = sub(%x, %mean) : f32[2,4]\n  %y = mul(%c, %scale) : f32[2,4]\n  return y=%y\n}\n");
    std::vector<ValueId> initializers = graph.sources(ValueKind::Parameter);
    for (ValueId id : initializers)
      graph.value(id).contents = filledTensor(graph.type(id), 2);
    llvm::cantFail(classifyParameters(graph, initializers, overrides, {}, {"mean"}));
    return graph.parameters.size();
  };
  EXPECT_EQ(trains({}), 1u);
  EXPECT_EQ(trains({"mean", ""}), 2u); // unless the user says so
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

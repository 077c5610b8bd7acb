/// \file Gradients keep their parameters' names, however many values their sums add.
#include "passes/train/differentiate.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "passes/import/canonicalise.h"
#include "runtime/base/error.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// y = sum over p of (p + p + p): the sum of what arrives at each parameter is made when its gradient is asked for. The
/// number of values decides when their memory moves, so that many sizes are tried.
TEST(Differentiate, GradientsOfParametersUsedTwiceKeepTheirNames) {
  for (int count = 1; count <= 40; ++count) {
    Graph graph;
    Builder b(graph);
    ValueId total = kNone;
    for (int i = 0; i < count; ++i) {
      const std::string name = "a.long.name.that.is.not.stored.in.place." + std::to_string(i);
      const ValueId p = graph.addParameter(name, Type{DType::F32, {2}});
      graph.parameters.push_back({p, {}});
      for (int use = 0; use < 3; ++use)
        total = total == kNone ? p : b.make("add", {total, b.make("neg", {p})});
    }
    const llvm::SmallVector<int64_t, 6> axes = {0};
    graph.outputs.push_back({"loss", b.make("reduce_sum", {total}, {{"axes", axes}, {"keepdims", int64_t(0)}})});
    llvm::cantFail(differentiate(graph, false));
    ASSERT_EQ(graph.outputs.size(), size_t(count) + 2);
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(graph.outputs[size_t(i) + 2].name, gradientName(graph.value(graph.parameters[size_t(i)].value).name));
  }
}

Graph sumOf(llvm::function_ref<ValueId(Builder &, ValueId)> make) {
  Graph graph;
  Builder b(graph);
  b.origin = "the_node";
  const ValueId p =
      graph.addParameter("w", Type{DType::F32, {2, 3, 2, 4}}, filledTensor({DType::F32, {2, 3, 2, 4}}, 1));
  graph.parameters.push_back({p, {}});
  ValueId y = make(b, p);
  llvm::SmallVector<int64_t, 6> axes;
  for (size_t d = 0; d < graph.type(y).shape.size(); ++d)
    axes.push_back(int64_t(d));
  graph.outputs.push_back({"loss", b.make("reduce_sum", {y}, {{"axes", axes}, {"keepdims", int64_t(0)}})});
  return graph;
}

/// What is trained gets all of its gradient, or the compile says what is missing.
TEST(Differentiate, AMissingRuleNamesNodeAndParameter) {
  auto refusalOf = [](Graph graph) {
    auto objective = differentiate(graph, false);
    return objective ? std::string("taken") : describe(objective.takeError());
  };
  Attributes attributes = {{"causal", int64_t(0)}, {"scale", 1.0}};
  std::string text = refusalOf(sumOf([&](Builder &b, ValueId p) { // the statistics are the gradient's alone
    return b.makeMany("attention", {p, p, p}, attributes)[1];
  }));
  EXPECT_EQ(text,
            "error: node 'the_node': operator 'attention' has no gradient through its result 1, and parameter 'w' is "
            "trained through it\n  do:  freeze it with --freeze 'w'");
  text = refusalOf(sumOf([&](Builder &b, ValueId p) { return b.make("relu_grad", {p, p}); }));
  EXPECT_NE(text.find("operator 'relu_grad' has no gradient of its operand 0, and parameter 'w'"), std::string::npos)
      << text;
}

/// A step has a slope of 0, so that its parameter is trained with a gradient of 0, as PyTorch does.
TEST(Differentiate, StepsAreFlat) {
  // The next whole number above, as it is imported.
  Graph graph = sumOf([](Builder &b, ValueId p) { return b.make("neg", {b.make("floor", {b.make("neg", {p})})}); });
  llvm::cantFail(differentiate(graph, false));
  llvm::cantFail(canonicalise(graph));
  const Node *gradient = graph.producer(graph.output(gradientName("w")));
  ASSERT_TRUE(gradient && gradient->is("full"));
  EXPECT_EQ(gradient->attributes.real("value"), 0);
}

} // namespace
} // namespace autotp

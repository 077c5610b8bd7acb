/// \file Gradients that a model brings: of a mean that is recognised they become those of the sum.
#include "passes/train/bind_gradients.h"

#include "compiler/ir/print.h"
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// logits = x w; the gradient of w by onnxruntime's way, from `seed` on; `loss` and `count` as a test has them.
std::string model(const std::string &loss, const std::string &outputs) {
  return R"(graph {
  input %x : f32[6,4]
  input %labels : i64[6]
  parameter %w : f32[4,9]
  constant %one : f32[] = {1}
  %y = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[6,9]
  %sum, %count, %lse = cross_entropy(%y, %labels) {ignore_index=-100} : f32[], f32[], f32[6]
)" + loss +
         R"(  %seed = div(%one, %count) : f32[]
  %dy = cross_entropy_grad(%y, %labels, %lse, %seed) {ignore_index=-100} : f32[6,9]
  %dw = matmul(%x, %dy) {trans_a=1, trans_b=0} : f32[4,9]
  return )" +
         outputs + "\n}\n";
}

constexpr const char *kMean = "  %loss = div(%sum, %count) : f32[]\n";

void expectSound(const Graph &graph) {
  llvm::Error error = verify(graph);
  EXPECT_FALSE(bool(error)) << describe(std::move(error)) << printed(graph);
}

std::vector<std::string> namesOf(const Graph &graph) {
  std::vector<std::string> names;
  for (const Output &output : graph.outputs)
    names.push_back(output.name + "=" + graph.value(output.value).name);
  return names;
}

std::string refusalOf(Graph &graph) {
  llvm::Expected<Objective> refused = bindGradients(graph);
  return refused ? "" : describe(refused.takeError());
}

TEST(BindGradients, AMeansAreThoseOfTheSum) {
  Graph graph = parsed(model(kMean, "loss=%loss, gradient:w=%dw"));
  const Objective objective = llvm::cantFail(bindGradients(graph));
  EXPECT_EQ(objective.kind, LossKind::CrossEntropySum);
  EXPECT_EQ(namesOf(graph), (std::vector<std::string>{"loss_sum=sum", "count=count", "gradient:w=dw"}));
  for (NodeId id : graph.order())
    if (graph.node(id).is("cross_entropy_grad")) {
      EXPECT_EQ(graph.value(graph.node(id).operands[3]).name, "one");
    }
  expectSound(graph);
}

/// Where the count is read in another way as well, the mean over micro-batches is what there is.
TEST(BindGradients, OfAnotherLossStayAsTheyAre) {
  for (const char *loss : {"  %part = div(%sum, %count) : f32[]\n  %loss = add(%part, %one) : f32[]\n",
                           "  %other = neg(%count) : f32[]\n  %loss = div(%sum, %count) : f32[]\n"}) {
    const bool keepsOther = std::string(loss).find("other") != std::string::npos;
    Graph graph = parsed(model(loss, std::string("loss=%loss, gradient:w=%dw") + (keepsOther ? ", kept=%other" : "")));
    const Objective objective = llvm::cantFail(bindGradients(graph));
    EXPECT_EQ(objective.kind, LossKind::Mean);
    ASSERT_EQ(graph.outputs.size(), 3u);
    EXPECT_EQ(graph.value(graph.outputs[0].value).name, "loss");
    EXPECT_EQ(graph.producer(graph.outputs[1].value)->op, "full");
    for (NodeId id : graph.order())
      if (graph.node(id).is("cross_entropy_grad")) {
        EXPECT_EQ(graph.value(graph.node(id).operands[3]).name, "seed");
      }
    expectSound(graph);
  }
}

TEST(BindGradients, ParametersWithoutOneAreConstants) {
  std::string text = model(kMean, "loss=%loss, gradient:w=%dw");
  text.insert(text.find("  constant"), "  parameter %frozen : f32[2]\n");
  Graph without = parsed(text), graph = parsed(text);
  EXPECT_NE(refusalOf(without).find("parameter 'frozen': the model brings no gradient of it, and its file holds no"),
            std::string::npos);
  for (ValueId id : graph.sources(ValueKind::Parameter))
    graph.value(id).contents = filledTensor(graph.type(id), 1);
  const Objective objective = llvm::cantFail(bindGradients(graph));
  EXPECT_EQ(objective.untrained, std::vector<std::string>{"frozen"});
  EXPECT_EQ(graph.parameters.size(), 1u);
  Graph none = parsed(model(kMean, "loss=%loss"));
  for (ValueId id : none.sources(ValueKind::Parameter))
    none.value(id).contents = filledTensor(none.type(id), 1);
  EXPECT_NE(refusalOf(none).find("it brings no gradient of a parameter"), std::string::npos);
}

} // namespace
} // namespace autotp

/// \file Rows that a mask hides whole have the gradients that the graph had before its attention was recognised.
#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/op_def.h"
#include "passes/recognise/recognise_attention.h"
#include "passes/train/differentiate.h"
#include "runtime/base/error.h"

#include "gtest/gtest.h"

#include <cmath>

namespace autotp {
namespace {

enum class Mask { Added, Replacing };

Array numbered(Shape shape, double by) {
  Array array(Type{DType::F64, std::move(shape)});
  for (size_t i = 0; i < array.data.size(); ++i)
    array.data[i] = std::sin(by * double(i + 1));
  return array;
}

/// softmax(mask(q k)) v of [1, 2, 3, 4] each, times weights. Query 1 sees no key, query 2 sees two.
Graph attentionOf(Mask how) {
  constexpr double kLowest = -3.4028234663852886e38;
  const Shape shape = {1, 2, 3, 4};
  Graph graph;
  Builder b(graph);
  std::vector<ValueId> qkv;
  for (const char *name : {"q", "k", "v"}) {
    qkv.push_back(graph.addParameter(name, Type{DType::F64, shape}));
    graph.parameters.push_back({qkv.back(), {}});
  }
  Array sees(Type{DType::Bool, {1, 1, 3, 3}});
  sees.data = {1, 1, 1, 0, 0, 0, 1, 0, 1};
  ValueId isSeen = graph.addConstant("sees", toTensor(sees)), lowest = b.scalar(DType::F64, kLowest);
  const Attributes plain = {{"trans_a", int64_t(0)}, {"trans_b", int64_t(0)}};
  ValueId scores = b.make("matmul", {qkv[0], b.transpose(qkv[1], {0, 1, 3, 2})}, plain);
  if (how == Mask::Replacing)
    scores = b.make("where", {isSeen, scores, lowest});
  else
    scores = b.make("add", {scores, b.make("where", {isSeen, b.scalar(DType::F64, 0), lowest})});
  ValueId y = b.make("matmul", {b.make("softmax", {scores}), qkv[2]}, plain);
  ValueId weighed = b.make("mul", {y, graph.addConstant("dy", toTensor(numbered(shape, 0.7)))});
  const llvm::SmallVector<int64_t, 6> all = {0, 1, 2, 3};
  graph.outputs.push_back({"loss", b.make("reduce_sum", {weighed}, {{"axes", all}, {"keepdims", int64_t(0)}})});
  return graph;
}

std::vector<Array> gradientsOf(Graph &graph) {
  llvm::cantFail(differentiate(graph, false));
  Sources sources;
  double by = 0.3;
  for (ValueId id : graph.sources(ValueKind::Parameter))
    sources[id] = numbered(graph.type(id).shape, by += 0.4);
  std::vector<Array> values = llvm::cantFail(evaluateGraph(graph, sources)), gradients;
  for (const char *name : {"q", "k", "v"})
    gradients.push_back(values[graph.output(gradientName(name))]);
  return gradients;
}

TEST(HiddenRows, KeepTheirGradients) {
  for (Mask how : {Mask::Added, Mask::Replacing}) {
    Graph plain = attentionOf(how), fused = attentionOf(how);
    ASSERT_FALSE(bool(recogniseAttention(fused)));
    ASSERT_TRUE(llvm::any_of(fused.order(), [&](NodeId id) { return fused.node(id).is("attention"); }));
    const std::vector<Array> wanted = gradientsOf(plain), found = gradientsOf(fused);
    for (size_t k = 0; k < wanted.size(); ++k)
      for (size_t i = 0; i < wanted[k].data.size(); ++i)
        EXPECT_NEAR(found[k].data[i], wanted[k].data[i], 1e-12) << "operand " << k << " element " << i;
  }
}

} // namespace
} // namespace autotp

/// \file Gradients keep their parameters' names, however many values their sums add.
#include "passes/train/differentiate.h"

#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"

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

} // namespace
} // namespace autotp

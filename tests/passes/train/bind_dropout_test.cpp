/// \file What a dropout's positions are: where its elements lie in a sample, and which sample.
#include "passes/train/bind_dropout.h"

#include "compiler/ops/verify.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// Of each dropout, in order: "ordinal per_sample: rows/indices of each dimension".
std::vector<std::string> keysOf(const Graph &graph) {
  std::vector<std::string> keys;
  for (NodeId id : graph.order()) {
    const Node &node = graph.node(id);
    if (!node.is("dropout")) continue;
    std::string &key = keys.emplace_back(std::to_string(node.attributes.integer("ordinal")) + " " +
                                         std::to_string(node.attributes.integer("per_sample")) + ":");
    for (ValueId v : llvm::drop_begin(node.operands, 2)) {
      key += " ";
      const Array array = toArray(*graph.value(v).contents);
      for (size_t i = 0; i < array.data.size(); i += 2)
        key += (i ? "," : "") + std::to_string(int(array.data[i])) + "/" + std::to_string(int(array.data[i + 1]));
    }
  }
  return keys;
}

TEST(BindDropout, SamplesAreRowsWhereverTheirAxisLies) {
  Graph graph = parsed(R"(graph {
  input %x : f32[2,3,2]
  parameter %p : f32[2]
  %a = dropout(%x) {ratio=0.5} : f32[2,3,2]
  %flat = reshape(%a) : f32[6,2]
  %b = dropout(%flat) {ratio=0.5} : f32[6,2]
  %back = reshape(%b) : f32[2,3,2]
  %turned = transpose(%back) {perm=[1,0,2]} : f32[3,2,2]
  %c = dropout(%turned) {ratio=0.5} : f32[3,2,2]
  %q = dropout(%p) {ratio=0.5} : f32[2]
  %y = mul(%c, %q) : f32[3,2,2]
  return y=%y
}
)");
  llvm::cantFail(bindDropout(graph, {}));
  llvm::Error error = verify(graph);
  EXPECT_FALSE(bool(error)) << describe(std::move(error));
  EXPECT_EQ(keysOf(graph), (std::vector<std::string>{
                               "0 1: 0/0,1/0 0/0,0/2,0/4 0/0,0/1", "1 1: 0/0,0/2,0/4,1/0,1/2,1/4 0/0,0/1",
                               "2 1: 0/0,0/2,0/4 0/0,1/0 0/0,0/1",
                               "3 0: 0/0,0/1", // a parameter has no samples
                           }));
  EXPECT_EQ(graph.sources(ValueKind::State).size(), 1u);
}

TEST(BindDropout, SamplesJoinedWithOthersAreRefused) {
  Graph graph = parsed(R"(graph {
  input %x : f32[2,4]
  parameter %p : f32[1,4]
  %j = concat(%x, %p) {axis=0} : f32[3,4]
  %y = dropout(%j) {ratio=0.5} : f32[3,4]
  return y=%y
}
)");
  EXPECT_NE(describe(bindDropout(graph, {})).find("joins samples"), std::string::npos);
}

} // namespace
} // namespace autotp

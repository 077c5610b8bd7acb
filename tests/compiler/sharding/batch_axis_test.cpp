// Which inputs hold samples.
#include "compiler/sharding/batch_axis.h"

#include "compiler/sharding/find_axes.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

/// "4: ids labels"
std::string batchOf(const std::string &text, const llvm::StringSet<> &withoutBatch = {}) {
  Graph graph = graphOf("graph {\n" + text + "}\n");
  const Batch batch = findBatch(graph, findAxes(graph), withoutBatch);
  std::string said = std::to_string(batch.size) + ":";
  const std::vector<ValueId> inputs = graph.sources(ValueKind::Input);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (batch.isBatched[i]) said += " " + graph.value(inputs[i]).name;
  return said;
}

std::string embedded(const std::string &batch, const std::string &positions) {
  return "  input %positions : i64" + positions + "\n  input %ids : i64[" + batch +
         ",6]\n  input %unused : i64[9]\n  parameter %table : f32[20,8]\n  parameter %places : f32[6,8]\n"
         "  %e = gather(%table, %ids) : f32[" +
         batch + ",6,8]\n";
}

TEST(BatchAxis, PositionsOfAllSamples) {
  const std::string added = "  %q = gather(%places, %positions) : f32[1,6,8]\n  %y = add(%e, %q) : f32[";
  EXPECT_EQ(batchOf(embedded("4", "[1,6]") + added + "4,6,8]\n  return y=%y\n"), "4: ids");
  EXPECT_EQ(batchOf(embedded("1", "[1,6]") + added + "1,6,8]\n  return y=%y\n"), "1: positions ids");
  EXPECT_EQ(batchOf(embedded("1", "[1,6]") + added + "1,6,8]\n  return y=%y\n", llvm::StringSet<>({"positions"})),
            "1: ids");
}

/// The sequence leads an input, and is as long as the batch.
TEST(BatchAxis, AnAxisThatStandsWithinOtherInputsIsNone) {
  EXPECT_EQ(batchOf(embedded("6", "[6]") + "  %q = gather(%places, %positions) : f32[6,8]\n"
                                           "  %y = add(%e, %q) : f32[6,6,8]\n  return y=%y\n"),
            "6: ids");
}

/// What is compared with each other are samples, too.
TEST(BatchAxis, TwoTowersHaveOneBatch) {
  EXPECT_EQ(batchOf("  input %a : f32[4,8]\n  input %b : f32[4,8]\n"
                    "  %y = matmul(%a, %b) {trans_a=0, trans_b=1} : f32[4,4]\n  return y=%y\n"),
            "4: a b");
}

} // namespace
} // namespace autotp

// One graph for each rule of the verifier that breaks it.
#include "compiler/ops/verify.h"
#include "runtime/base/error.h"
#include "runtime/plan/kernels/kernel_def.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

Type vector() { return Type{DType::F32, {2}}; }

void expectRefused(const Graph &graph, const char *message) {
  std::string found = describe(verify(graph));
  EXPECT_NE(found.find(message), std::string::npos) << found;
}

TEST(Verify, UnknownOperator) {
  Graph graph;
  graph.addNode("negate", {graph.addInput("x", vector())}, {vector()}, {}, "Neg_7");
  expectRefused(graph, "node negate %negate (from Neg_7): its operator is not in the table");
}

TEST(Verify, CollectivesOfUnknownAxesAndReductions) {
  for (auto [axis, reduce, message] : {std::tuple{"tpp", "sum", "'tpp' is no mesh axis"},
                                       std::tuple{"tp", "product", "'product' is no reduction: it is sum or max"}}) {
    Graph graph;
    graph.addNode(
        "all_reduce", {graph.addInput("x", vector())}, {vector()},
        {{"axis", std::string(axis)}, {"group", llvm::SmallVector<int64_t, 6>{0, 1}}, {"reduce", std::string(reduce)}},
        "");
    expectRefused(graph, message);
  }
}

TEST(Verify, OperandDefinedLater) {
  Graph graph;
  ValueId x = graph.addInput("x", vector());
  Builder b(graph);
  ValueId first = b.make("neg", {x}), second = b.make("exp", {x});
  graph.setOperand(graph.value(first).producer, 0, second);
  expectRefused(graph, "operand 'exp' is defined after it, or nowhere");
}

TEST(Verify, OperandOfAnErasedNode) {
  Graph graph;
  Builder b(graph);
  ValueId x = graph.addInput("x", vector()), dead = b.make("neg", {x}), user = b.make("exp", {x});
  graph.erase(graph.value(dead).producer);
  graph.setOperand(graph.value(user).producer, 0, dead);
  expectRefused(graph, "operand 'neg' is defined after it, or nowhere");
}

TEST(Verify, MissingUse) {
  Graph graph;
  ValueId x = graph.addInput("x", vector());
  Builder(graph).make("neg", {x});
  graph.value(x).uses.clear();
  expectRefused(graph, "it is missing in its operand's uses");
}

TEST(Verify, OperandsThatDoNotFit) {
  Graph graph;
  ValueId x = graph.addInput("x", vector()), y = graph.addInput("y", Type{DType::F32, {3}});
  graph.addNode("add", {x, y}, {vector()}, {}, "");
  expectRefused(graph, "do not broadcast");
}

TEST(Verify, WrongNumberOfOperands) {
  Graph graph;
  ValueId x = graph.addInput("x", vector());
  graph.addNode("add", {x}, {vector()}, {}, "");
  expectRefused(graph, "it has 1 operands, not 2");
  Graph few;
  few.addNode("concat", {}, {vector()}, {}, "");
  expectRefused(few, "it has 0 operands, not 1 or more");
}

/// Every row, or its kernel's signature, says how many: the check asserts otherwise.
TEST(Verify, EveryRowKnowsItsNumberOfOperands) {
  for (const OpDef *row : allOps()) {
    const bool isAnyNumber =
        row->operands[0] >= 0 ? row->operands[1] == INT8_MAX : signatureOf(row->kernel).mostOperands() == INT_MAX;
    EXPECT_EQ(bool(llvm::Error(checkOperandCount(*row, 1000))), !isAnyNumber) << row->name;
  }
}

TEST(Verify, WrongNumberOfResults) {
  Graph graph;
  graph.addNode("neg", {graph.addInput("x", vector())}, {vector(), vector()}, {}, "");
  expectRefused(graph, "it has a wrong number of results");
}

TEST(Verify, WrongResultType) {
  Graph graph;
  graph.addNode("neg", {graph.addInput("x", vector())}, {Type{DType::F64, {2}}}, {}, "");
  expectRefused(graph, "result 0 is f64[2], its operator gives f32[2]");
}

TEST(Verify, OutputThatNothingDefines) {
  Graph graph;
  Builder b(graph);
  ValueId y = b.make("neg", {graph.addInput("x", vector())});
  graph.outputs = {{"far", 99}, {"gone", y}};
  graph.erase(graph.value(y).producer);
  expectRefused(graph, "output 'far': nothing defines it");
  expectRefused(graph, "output 'gone': nothing defines it");
}

TEST(Verify, AllBrokenNodesAreNamed) {
  Graph graph;
  ValueId x = graph.addInput("x", vector());
  graph.addNode("first_unknown", {x}, {vector()}, {}, "");
  graph.addNode("second_unknown", {x}, {vector()}, {}, "");
  expectRefused(graph, "first_unknown");
  expectRefused(graph, "second_unknown");
}

} // namespace
} // namespace autotp

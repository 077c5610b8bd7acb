/// \file Sequences, loops and scans: taken apart and unrolled while importing.
#include "tests/compiler/onnx/model_file.h"

namespace autotp {
namespace {

using namespace test;

/// What the model's first output is.
std::vector<double> outputOf(const ModelFile &file) {
  auto model = file.import();
  if (!model) {
    ADD_FAILURE() << describe(model.takeError());
    return {};
  }
  auto values = evaluateGraph(model->graph, Sources());
  if (!values) {
    ADD_FAILURE() << describe(values.takeError());
    return {};
  }
  return (*values)[model->graph.outputs[0].value].data;
}

/// 0 1 / 2 3 / 4 5
ModelFile &withMatrix(ModelFile &file) {
  file.initializer(floats("x", {3, 2}, {0, 1, 2, 3, 4, 5}));
  return file;
}

TEST(Sequences, AreTakenApartAndJoined) {
  ModelFile file;
  withMatrix(file);
  file.initializer(integers("at", {}, {-1}));
  file.initializer(integers("sizes", {1, 2}));
  file.node("SplitToSequence", {"x", "sizes"}, {"parts"}, {intAttribute("axis", 0)});
  file.node("Identity", {"parts"}, {"same"});
  file.node("SequenceAt", {"same", "at"}, {"last"});
  file.node("SequenceInsert", {"same", "last", "zero"}, {"longer"});
  file.initializer(integers("zero", {}, {0}));
  file.node("SequenceErase", {"longer", "at"}, {"two"});
  file.node("ConcatFromSequence", {"two"}, {"y"}, {intAttribute("axis", 0)});
  file.output("y");
  EXPECT_EQ(outputOf(file), (std::vector<double>{2, 3, 4, 5, 0, 1}));
}

TEST(Sequences, WithoutASizeLoseTheDimension) {
  ModelFile file;
  withMatrix(file);
  file.node("SplitToSequence", {"x"}, {"rows"}, {intAttribute("keepdims", 0)});
  file.node("SequenceLength", {"rows"}, {"count"});
  file.node("ConcatFromSequence", {"rows"}, {"turned"}, {intAttribute("axis", 1), intAttribute("new_axis", 1)});
  file.node("Cast", {"count"}, {"f"}, {intAttribute("to", onnx::TensorProto::FLOAT)});
  file.node("Mul", {"turned", "f"}, {"y"});
  file.output("y");
  EXPECT_EQ(outputOf(file), (std::vector<double>{0, 6, 12, 3, 9, 15}));
}

TEST(Sequences, AreNoTensors) {
  ModelFile file;
  withMatrix(file);
  file.node("SequenceConstruct", {"x", "x"}, {"both"});
  file.node("Neg", {"both"}, {"y"});
  file.output("y");
  EXPECT_NE(refusal(file.import()).find("operand 0 is a sequence"), std::string::npos);
  ModelFile out;
  withMatrix(out).node("SequenceConstruct", {"x"}, {"y"});
  out.output("y");
  EXPECT_NE(refusal(out.import()).find("no node computes it as a tensor"), std::string::npos);
  ModelFile beyond;
  withMatrix(beyond).node("SequenceConstruct", {"x"}, {"one"});
  beyond.initializer(integers("at", {}, {1}));
  beyond.node("SequenceAt", {"one", "at"}, {"y"});
  beyond.output("y");
  EXPECT_NE(refusal(beyond.import()).find("has no position 1"), std::string::npos);
}

void addInput(onnx::GraphProto &graph, const std::string &name) { graph.add_input()->set_name(name); }
void addOutput(onnx::GraphProto &graph, const std::string &name) { graph.add_output()->set_name(name); }
void addNode(onnx::GraphProto &graph, const std::string &op, std::vector<std::string> operands,
             const std::string &result) {
  onnx::NodeProto *node = graph.add_node();
  node->set_op_type(op);
  node->mutable_input()->Assign(operands.begin(), operands.end());
  node->add_output(result);
}

/// sum = sum + weight; each iteration leaves the sum so far.
onnx::AttributeProto summingBody() {
  onnx::AttributeProto body = attribute("body", onnx::AttributeProto::GRAPH);
  onnx::GraphProto &graph = *body.mutable_g();
  for (const char *name : {"i", "condition", "sum"})
    addInput(graph, name);
  *graph.add_initializer() = floats("weight", {2}, {1, 10});
  addNode(graph, "Add", {"sum", "weight"}, "next");
  addNode(graph, "Identity", {"condition"}, "goes_on");
  for (const char *name : {"goes_on", "next", "next"})
    addOutput(graph, name);
  return body;
}

ModelFile loop(const std::string &count, const std::string &result) {
  ModelFile file;
  file.initializer(integers("three", {}, {3}));
  file.input("fed", {}, onnx::TensorProto::INT64);
  file.initializer(floats("start", {2}, {0, 100}));
  file.node("Loop", {count, "", "start"}, {"sum", "sums"}, {summingBody()});
  file.output(result);
  return file;
}

TEST(Loops, AreUnrolledWithTheirWeightsOnce) {
  EXPECT_EQ(outputOf(loop("three", "sum")), (std::vector<double>{3, 130}));
  EXPECT_EQ(outputOf(loop("three", "sums")), (std::vector<double>{1, 110, 2, 120, 3, 130}));
  auto model = loop("three", "sum").import();
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(model->initializers.size(), 2u); // start, and weight once
}

TEST(Loops, OfAnUnknownLengthAreRefused) {
  EXPECT_NE(refusal(loop("fed", "sum").import()).find("how often it runs depends on an input"), std::string::npos);
  EXPECT_NE(refusal(loop("", "sum").import()).find("too often to be unrolled"), std::string::npos);
}

TEST(Scans, AreUnrolledAlongTheirAxes) {
  onnx::AttributeProto body = attribute("body", onnx::AttributeProto::GRAPH);
  onnx::GraphProto &graph = *body.mutable_g();
  addInput(graph, "sum");
  addInput(graph, "column");
  addNode(graph, "Add", {"sum", "column"}, "next");
  addOutput(graph, "next");
  addOutput(graph, "next");
  ModelFile file;
  withMatrix(file);
  file.initializer(floats("start", {3}, {0, 0, 0}));
  file.node("Scan", {"start", "x"}, {"sum", "sums"},
            {body, intAttribute("num_scan_inputs", 1), intsAttribute("scan_input_axes", {1}),
             intsAttribute("scan_input_directions", {1}), intsAttribute("scan_output_axes", {-1})});
  file.output("sums");
  EXPECT_EQ(outputOf(file), (std::vector<double>{1, 1, 3, 5, 5, 9}));
}

} // namespace
} // namespace autotp

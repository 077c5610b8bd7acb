/// \file Functions that a model brings, those of the standard, and branches.
#include "compiler/ops/evaluate.h"
#include "tests/compiler/onnx/model_file.h"

namespace autotp {
namespace {

using namespace test;

onnx::NodeProto nodeOf(const std::string &op, std::vector<std::string> operands, std::vector<std::string> results,
                       const std::string &domain = "") {
  onnx::NodeProto node;
  node.set_op_type(op);
  node.set_domain(domain);
  node.mutable_input()->Assign(operands.begin(), operands.end());
  node.mutable_output()->Assign(results.begin(), results.end());
  return node;
}

onnx::FunctionProto &addFunction(ModelFile &file, const std::string &name, std::vector<std::string> inputs,
                                 std::vector<std::string> outputs) {
  onnx::FunctionProto &function = *file.proto.add_functions();
  function.set_domain("local");
  function.set_name(name);
  function.mutable_input()->Assign(inputs.begin(), inputs.end());
  function.mutable_output()->Assign(outputs.begin(), outputs.end());
  return function;
}

std::vector<double> valuesOf(const ModelFile &file) {
  auto model = file.import();
  if (!model) {
    ADD_FAILURE() << describe(model.takeError());
    return {};
  }
  return llvm::cantFail(evaluateGraph(model->graph, Sources()))[model->graph.outputs[0].value].data;
}

/// twice(x) = scaled(scaled(x)); scaled(x, [y]) = LeakyRelu(x) {alpha = slope}: names inside are its own.
TEST(Functions, CallEachOtherWithAttributes) {
  ModelFile file;
  file.initializer(floats("x", {2}, {-4, 8}));
  onnx::FunctionProto &scaled = addFunction(file, "scaled", {"a", "b"}, {"y"});
  scaled.add_attribute("slope");
  onnx::NodeProto leaky = nodeOf("LeakyRelu", {"a"}, {"y"});
  onnx::AttributeProto &alpha = *leaky.add_attribute();
  alpha.set_name("alpha");
  alpha.set_ref_attr_name("slope");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  *scaled.add_node() = leaky;
  onnx::FunctionProto &twice = addFunction(file, "twice", {"a"}, {"z"});
  for (auto [from, to] : {std::pair("a", "x"), std::pair("x", "z")}) {
    onnx::NodeProto call = nodeOf("scaled", {from}, {to}, "local");
    onnx::AttributeProto &slope = *call.add_attribute();
    slope.set_name("slope");
    slope.set_type(onnx::AttributeProto::FLOAT);
    slope.set_f(0.5f);
    *twice.add_node() = call;
  }
  *file.proto.mutable_graph()->add_node() = nodeOf("twice", {"x"}, {"y"}, "local");
  file.output("y");
  EXPECT_EQ(valuesOf(file), (std::vector<double>{-1, 8}));
}

TEST(Functions, ThatCallThemselvesAreRefused) {
  ModelFile file;
  file.initializer(floats("x", {1}, {1}));
  *addFunction(file, "f", {"a"}, {"y"}).add_node() = nodeOf("f", {"a"}, {"y"}, "local");
  *file.proto.mutable_graph()->add_node() = nodeOf("f", {"x"}, {"y"}, "local");
  file.output("y");
  EXPECT_NE(refusal(file.import()).find("functions call each other too deeply, or in a circle"), std::string::npos);
}

/// Every level calls the next one 64 times: 64^6 nodes from 400 in the file.
TEST(Functions, ThatGrowWithoutMeasureAreRefused) {
  ModelFile file;
  file.initializer(floats("x", {1}, {1}));
  for (int level = 0; level < 6; ++level) {
    onnx::FunctionProto &function = addFunction(file, "f" + std::to_string(level), {"a0"}, {"a64"});
    for (int i = 0; i < 64; ++i)
      *function.add_node() =
          nodeOf(level == 5 ? "Identity" : "f" + std::to_string(level + 1), {"a" + std::to_string(i)},
                 {"a" + std::to_string(i + 1)}, level == 5 ? "" : "local");
  }
  *file.proto.mutable_graph()->add_node() = nodeOf("f0", {"x"}, {"y"}, "local");
  file.output("y");
  EXPECT_NE(refusal(file.import()).find("what is made up to it takes more than the 1074 MB"), std::string::npos);
}

TEST(Functions, UnknownOperatorsInsideAreListed) {
  ModelFile file;
  file.initializer(floats("x", {1}, {1}));
  *addFunction(file, "f", {"a"}, {"y"}).add_node() = nodeOf("Nonsense", {"a"}, {"y"});
  *file.proto.mutable_graph()->add_node() = nodeOf("f", {"x"}, {"y"}, "local");
  file.output("y");
  EXPECT_NE(refusal(file.import()).find("Nonsense (1 node, first 'y')"), std::string::npos);
}

onnx::AttributeProto branch(const std::string &name, const std::string &op) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::GRAPH);
  *attribute.mutable_g()->add_node() = nodeOf(op, {"x"}, {"inner"}); // x is the enclosing graph's
  attribute.mutable_g()->add_output()->set_name("inner");
  return attribute;
}

TEST(Branches, OfAKnownConditionAreChosen) {
  for (bool condition : {true, false}) {
    ModelFile file;
    file.initializer(floats("x", {1}, {-3}));
    file.initializer(bools("c", {}, {condition}));
    file.node("If", {"c"}, {"y"}, {branch("then_branch", "Abs"), branch("else_branch", "Identity")});
    file.output("y");
    EXPECT_EQ(valuesOf(file), (std::vector<double>{condition ? 3.0 : -3.0}));
  }
}

TEST(Branches, OfAnInputAreRefused) {
  ModelFile file;
  file.initializer(floats("x", {1}, {-3}));
  file.input("c", {}, onnx::TensorProto::BOOL);
  file.node("If", {"c"}, {"y"}, {branch("then_branch", "Abs"), branch("else_branch", "Identity")});
  file.output("y");
  EXPECT_NE(refusal(file.import()).find("its condition depends on an input"), std::string::npos);
}

} // namespace
} // namespace autotp

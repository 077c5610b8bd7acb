/// \file Well-formed files whose graphs are wrong: the message names the node or value, and nothing large is allocated.
#include "compiler/onnx/import_options.h"
#include "tests/compiler/onnx/model_file.h"

namespace autotp {
namespace {

using namespace test;

/// A graph on input x: [4,8], with one node that is wrong.
class Hostile : public testing::Test {
protected:
  Hostile() {
    file.input("x", {4, 8});
    file.output("y");
  }
  void refuses(const std::string &what, const ImportOptions &options = {}) {
    std::string text = refusal(file.import(options));
    EXPECT_NE(text.find(what), std::string::npos) << text << "\nexpected: " << what;
  }
  /// y = op(operands): forgotten at the next call.
  void refusesNode(const std::string &what, const std::string &op, std::vector<std::string> operands,
                   std::vector<onnx::AttributeProto> attributes = {}) {
    SCOPED_TRACE(op);
    file.proto.mutable_graph()->clear_node();
    file.node(op, operands, {"y"}, attributes);
    refuses("node 'y' (" + op + "): " + what);
  }
  ModelFile file;
};

TEST_F(Hostile, Graphs) {
  refuses("it holds no graph");
  file.node("Add", {"x", "b"}, {"a"});
  file.node("Add", {"a", "x"}, {"b"});
  refuses("node 'a': its operand 'b' is defined after it, or nowhere");
  file.proto.mutable_graph()->clear_node();
  file.node("Neg", {"x"}, {"a"});
  refuses("output 'y': no node computes it");
  file.node("Neg", {"x"}, {"a"});
  refuses("value 'a': it is defined twice");
  file.proto.mutable_graph()->clear_node();
  file.node("Neg", {"x"}, {"y"});
  file.input("x", {4, 8});
  refuses("value 'x': it is defined twice");
}

TEST_F(Hostile, UnknownOperatorsAreListedAtOnce) {
  file.node("Foo", {"x"}, {"a"});
  file.node("Bar", {"a"}, {"b"}).set_domain("com.example");
  file.node("Foo", {"b"}, {"y"});
  std::string text = refusal(file.import());
  for (const char *part : {"2 operators are not supported", "Foo (2 nodes, first 'a')",
                           "com.example.Bar (1 node, first 'b')", "do:  export without them"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST_F(Hostile, Opsets) {
  file.node("Neg", {"x"}, {"y"});
  file.proto.mutable_opset_import(0)->set_version(12);
  refuses("its opset 12 is older than 13\n  do:  export the model with opset 13 or newer");
  file.proto.mutable_opset_import(0)->set_version(20);
  file.proto.add_training_info();
  refuses("its training graph has no Gradient\n  do:  save it without training_info");
  file.proto.clear_training_info();
  for (int64_t version : {int64_t(99), int64_t(1) << 31 | 17, INT64_MAX}) {
    file.proto.mutable_opset_import(0)->set_version(version);
    refuses("its opset is " + std::to_string(version) + ", and ");
  }
  file.proto.mutable_opset_import(0)->set_version(20);
  file.proto.set_ir_version(INT32_MAX);
  onnx::OperatorSetIdProto *learning = file.proto.add_opset_import();
  learning->set_domain("ai.onnx.ml");
  learning->set_version(1000);
  refuses("its format (ir_version) is 2147483647, and ");
  refuses("; its opset of 'ai.onnx.ml' is 1000, and ");
}

TEST_F(Hostile, NamesThatAreNoText) {
  file.node("Neg", {"x"}, {"a\xff"});
  file.node("Neg", {"a\xff"}, {"y"}).set_doc_string("\xff is no name, and nobody reads it");
  refuses(
      "names in it are no UTF-8:\n    graph.node[0].output[0] 'a\\xFF'\n    graph.node[1].input[0] 'a\\xFF'\n  do:");
}

/// Each calls the next one, so that whoever follows calls by calling itself would run out of stack.
TEST_F(Hostile, ALongChainOfFunctions) {
  constexpr int kFunctions = 100000;
  file.proto.add_opset_import()->set_domain("f");
  for (int i = 0; i < kFunctions; ++i) {
    onnx::FunctionProto *function = file.proto.add_functions();
    function->set_domain("f");
    function->set_name("F" + std::to_string(i));
    function->add_input("a");
    function->add_output("b");
    onnx::NodeProto *call = function->add_node();
    call->set_op_type(i + 1 < kFunctions ? "F" + std::to_string(i + 1) : "Neg");
    call->set_domain(i + 1 < kFunctions ? "f" : "");
    call->add_input("a");
    call->add_output("b");
  }
  file.node("F0", {"x"}, {"y"}).set_domain("f");
  refuses("functions call each other too deeply, or in a circle");
}

TEST_F(Hostile, SubgraphsNestedDeeply) {
  onnx::NodeProto &node = file.node("Neg", {"x"}, {"y"});
  onnx::GraphProto inner;
  for (int depth = 0; depth < 200; ++depth) {
    onnx::GraphProto outer;
    onnx::AttributeProto *body = outer.add_node()->add_attribute();
    body->set_type(onnx::AttributeProto::GRAPH);
    body->mutable_g()->Swap(&inner);
    inner.Swap(&outer);
  }
  onnx::AttributeProto *body = node.add_attribute();
  body->set_name("body");
  body->set_type(onnx::AttributeProto::GRAPH);
  body->mutable_g()->Swap(&inner);
  refuses("it is no ONNX model");
}

TEST_F(Hostile, Inputs) {
  file.node("Neg", {"x"}, {"y"});
  auto *shape = file.proto.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(1)->set_dim_param("seq");
  refuses("dimension 'seq' has no size\n  do:  give it one with --shape seq=N");
  ImportOptions bound;
  bound.shapes["seq"] = 3;
  auto good = file.import(bound);
  EXPECT_TRUE(bool(good)) << describe(good.takeError());
  shape->mutable_dim(1)->clear_value();
  refuses("dimension 1, which has no name, has no size\n  do:  give it one with --shape x:1=N");
  for (int64_t size : {int64_t(-1), INT64_MIN, INT64_MAX}) {
    shape->mutable_dim(1)->set_dim_value(size);
    refuses("input 'x': a dimension of it is " + std::to_string(size));
  }
  shape->mutable_dim(1)->set_dim_value(int64_t(1) << 32);
  shape->add_dim()->set_dim_value(int64_t(1) << 32);
  refuses("input 'x': its shape is negative or too large");
  file.proto.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  refuses("input 'x': it has no shape");
  file.proto.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(77);
  refuses("input 'x': element type 77");
}

TEST_F(Hostile, OperandsAndAttributes) {
  file.initializer(floats("w", {8}, {1, 2, 3, 4, 5, 6, 7, 8}));
  for (const char *op : {"MatMul", "Gemm", "Gather", "Reshape", "Expand", "Pad", "Add", "Pow", "LayerNormalization"}) {
    refusesNode("operand 1 is missing", op, {"x"});
    refusesNode("operand 0 is missing", op, {"", "x"});
  }
  refusesNode("operand 0 is missing", "Neg", {});
  refusesNode("operand 2 is missing", "Slice", {"x", "x"});
  refusesNode("one of its operands is missing", "Max", {"x", ""});
  refusesNode("one of its operands is missing", "Concat", {"x", "", "x"}, {intAttribute("axis", 0)});
  refusesNode("it has too many operands", "Add", {"x", "x", "x"});
  refusesNode("attribute 'axis' is of a wrong kind", "Softmax", {"x"}, {floatAttribute("axis", 1)});
  refusesNode("attribute 'perm' is of a wrong kind", "Transpose", {"x"}, {intAttribute("perm", 1)});
  refusesNode("attribute 'value' is of a wrong kind", "Constant", {}, {intAttribute("value", 1)});
  refusesNode("attribute 'to' is of a wrong kind", "Cast", {"x"}, {textAttribute("to", "FLOAT")});
  refusesNode("element type 99", "Cast", {"x"}, {intAttribute("to", 99)});
  refusesNode("it has other attributes than one value", "Constant", {});
  refusesNode("its value is of a kind that is not supported", "Constant", {}, {textAttribute("value_string", "a")});
  refusesNode("it has no dimension 2", "Softmax", {"x"}, {intAttribute("axis", 2)});
  refusesNode("it has no dimension -9223372036854775808", "Softmax", {"x"}, {intAttribute("axis", INT64_MIN)});
  refusesNode("its permutation", "Transpose", {"x"}, {intsAttribute("perm", {0, 0})});
  refusesNode("operand 1 must be a few integers, but is f32[8]", "Reshape", {"x", "w"});
  refusesNode("its condition is f32[4,8], and no bool", "Where", {"x", "x", "x"});
  refusesNode("num_outputs differs", "Split", {"x"}, {intAttribute("num_outputs", int64_t(1) << 60)});
  refusesNode("its ratio or its training_mode", "Dropout", {"x", "", "w"});
}

/// A mask that training mode gives and nobody reads is no reason to refuse a model.
TEST_F(Hostile, ResultsThatNoOperatorGives) {
  file.node("Dropout", {"x"}, {"d", "mask"});
  file.node("Neg", {"d"}, {"y"});
  auto good = file.import({});
  EXPECT_TRUE(bool(good)) << describe(good.takeError());
  file.node("Not", {"mask"}, {"z"});
  refuses("its result 'mask' is not supported, and ");
}

TEST_F(Hostile, ConstantsReadNothingElsewhere) {
  onnx::TensorProto outside = floats("", {1}, {});
  outside.set_data_location(onnx::TensorProto::EXTERNAL);
  auto *entry = outside.add_external_data();
  entry->set_key("location");
  entry->set_value("../w.bin");
  refusesNode("its external data lies at '../w.bin', outside", "Constant", {}, {tensorAttribute("value", outside)});
  refusesNode("it has 1 values for i64[2]", "Constant", {}, {tensorAttribute("value", integers("", {2}, {1}))});
}

TEST_F(Hostile, ShapesThatAreNone) {
  file.initializer(floats("nan", {}, {NAN}));
  file.initializer(integers("zero", {}, {0}));
  file.initializer(integers("one", {}, {1}));
  file.initializer(integers("minus", {-2}));
  file.initializer(integers("two_unknown", {-1, -1}));
  file.initializer(integers("wrong", {5, 5}));
  file.initializer(integers("far", {INT64_MAX}));
  file.initializer(integers("axes", {0, 0}));
  file.initializer(integers("part", {3}));
  refusesNode("operand 1 must be a few integers, but is f32[]", "Reshape", {"x", "nan"});
  refusesNode("operand 0 must be a few integers, but is f32[]", "ConstantOfShape", {"nan"});
  refusesNode("its indices are f32[]", "Gather", {"x", "nan"});
  refusesNode("its range is endless", "Range", {"nan", "one", "one"});
  refusesNode("its range is endless", "Range", {"one", "one", "zero"});
  refusesNode("a dimension of it is -2", "Reshape", {"x", "minus"});
  refusesNode("a dimension of it is -2", "Expand", {"x", "minus"});
  refusesNode("a shape of it is negative, or too large", "ConstantOfShape", {"minus"});
  refusesNode("two of its dimensions are -1", "Reshape", {"x", "two_unknown"});
  refusesNode("it cannot give f32[4,8] the shape of f32[5,5]", "Reshape", {"x", "wrong"});
  refusesNode("an index of it is out of range", "Gather", {"x", "far"});
  refusesNode("it adds dimension 0 twice", "Unsqueeze", {"x", "axes"});
  refusesNode("dimension 0 is not 1", "Squeeze", {"x", "axes"});
  refusesNode("it has another number of results than of parts", "Split", {"x", "axes"});
  refusesNode("its parts do not fit dimension 0", "Split", {"x", "minus"});
  refusesNode("its parts leave out the end", "Split", {"x", "part"});
}

TEST_F(Hostile, NothingHugeIsMade) {
  file.initializer(floats("scalar", {}, {1}));
  file.initializer(integers("zero", {}, {0}));
  file.initializer(integers("one", {}, {1}));
  file.initializer(integers("wide", {int64_t(1) << 37}));
  file.initializer(integers("wraps", {int64_t(1) << 32, int64_t(1) << 32}));
  file.initializer(integers("wraps_too", {4, int64_t(1) << 62}));
  file.initializer(integers("long", {}, {int64_t(1) << 40}));
  file.initializer(integers("pads", {0, 0, 0, int64_t(1) << 38}));
  file.initializer(integers("pads_too", {INT64_MAX, INT64_MIN, INT64_MIN, INT64_MAX}));
  file.initializer(integers("many", {2000}, std::vector<int64_t>(2000, 1)));
  const std::string more = "what is made up to it takes more than the 1074 MB that import and folding have";
  refusesNode(more, "Expand", {"one", "wide"});
  refusesNode("its result f32[4294967296,4294967296] is too large", "Expand", {"scalar", "wraps"});
  refusesNode("a shape of it is negative, or too large", "ConstantOfShape", {"wraps_too"});
  refusesNode(more, "ConstantOfShape", {"wide"});
  refusesNode(more, "Range", {"zero", "long", "one"});
  refusesNode(more, "Pad", {"x", "pads"});
  refusesNode("its padding", "Pad", {"x", "pads_too"});
  refusesNode("operand 1 must be a few integers, but is i64[2000]", "Reshape", {"x", "many"});
}

/// The largest step that the format can hold takes the first element only.
TEST_F(Hostile, ASliceOfHugeSteps) {
  for (auto [name, value] : {std::pair("s", int64_t(0)), {"e", INT64_MAX}, {"a", int64_t(1)}, {"t", INT64_MAX}})
    file.initializer(integers(name, {value}));
  file.node("Slice", {"x", "s", "e", "a", "t"}, {"y"});
  auto model = file.import();
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  EXPECT_EQ(model->graph.type(model->graph.outputs[0].value).text(), "f32[4,1]");
}

TEST(InputNames, AnInitializerWithTheNameOfAnInputIsRefused) {
  auto refusalOf = [](int64_t irVersion, bool isOnlyOne) {
    ModelFile file;
    file.proto.set_ir_version(irVersion);
    file.input("x", {2});
    file.input("t", {2});
    file.initializer(floats("t", {2}, {1, 2}));
    if (!isOnlyOne) file.initializer(floats("w", {2}, {1, 2}));
    file.node("Mul", {"x", isOnlyOne ? "t" : "w"}, {"y"});
    file.output("y");
    auto model = file.import();
    return model ? std::string() : describe(model.takeError());
  };
  EXPECT_NE(refusalOf(10, false).find("input 't'"), std::string::npos);
  EXPECT_EQ(refusalOf(10, true), "") << "every initializer is an input, as some exporters write it";
  EXPECT_EQ(refusalOf(3, false), "") << "before IR 4 every initializer had to be one";
}

} // namespace
} // namespace autotp

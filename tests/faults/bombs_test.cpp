// Models of some kB that ask for any memory, any time or the whole stack: refused within bounds, and the node is named.
#include "tests/compiler/onnx/model_file.h"
#include "tests/faults/command.h"

#include <chrono>

namespace autotp::test {
namespace {

constexpr double kMega = 1e6;

/// A model that a test fills; its loss is the mean of what is called "x".
class Bombs : public Commands {
protected:
  Bombs() {
    file.input("in", {2, 4});
    file.initializer(floats("w", {4, 4}, std::vector<float>(16, 0.5f)));
    file.node("MatMul", {"in", "w"}, {"product"});
    file.output("loss");
  }

  Ended compile(const std::string &flags) {
    file.node("ReduceMean", {"product"}, {"loss"}, {intAttribute("keepdims", 0)});
    const std::string bytes = file.proto.SerializeAsString();
    EXPECT_LT(bytes.size(), most);
    folder.write("model.onnx", bytes);
    return run("autotp-compile {}/model.onnx --weights none --train . -o {}/plan " + flags);
  }

  /// `megabytes`: the budget; 0: the default. What the program itself takes comes on top.
  void refused(int megabytes, const std::string &what) {
    const auto begin = std::chrono::steady_clock::now();
    const Ended ended = compile(megabytes ? "--import-mb " + std::to_string(megabytes) : "");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(55));
    EXPECT_EQ(ended.code, 1) << ended.out;
    EXPECT_EQ(llvm::StringRef(ended.err).count("error: "), 1u) << ended.err;
    EXPECT_NE(ended.err.find(what), std::string::npos) << ended.err;
    const double budget = megabytes ? megabytes * kMega : double(uint64_t(1) << 30) + 2.0 * double(most);
    EXPECT_LE(double(ended.peakBytes), budget + 100 * kMega);
  }

  void constant(const std::string &name, const onnx::TensorProto &value) {
    file.node("Constant", {}, {name}, {tensorAttribute("value", value)});
  }
  /// A function of one operand and one result, of these nodes.
  onnx::FunctionProto &function(const std::string &name, const std::vector<onnx::NodeProto> &nodes) {
    if (file.proto.functions_size() == 0) {
      onnx::OperatorSetIdProto *opset = file.proto.add_opset_import();
      opset->set_domain("f");
      opset->set_version(1);
    }
    onnx::FunctionProto *function = file.proto.add_functions();
    function->set_domain("f");
    function->set_name(name);
    function->add_input("a");
    function->add_output("b");
    function->mutable_node()->Assign(nodes.begin(), nodes.end());
    return *function;
  }
  static onnx::NodeProto node(const std::string &op, const std::vector<std::string> &operands,
                              const std::string &result, const std::string &domain = "") {
    onnx::NodeProto node;
    node.set_op_type(op);
    node.set_domain(domain);
    node.mutable_input()->Assign(operands.begin(), operands.end());
    node.add_output(result);
    return node;
  }

  ModelFile file;
  size_t most = 100000; ///< bytes of the file
};

TEST_F(Bombs, AConstantOfTwoGib) {
  constant("size", integers("", {int64_t(1) << 28}));
  file.node("ConstantOfShape", {"size"}, {"ones"});
  refused(0, "node 'ones' (ConstantOfShape): what is made up to it takes more than the 1074 MB that import and folding "
             "have\n  do:  export the model without");
}

TEST_F(Bombs, AConstantThatDoubles) {
  constant("c0", floats("", {1}, {1}));
  for (int i = 0; i < 40; ++i)
    file.node("Concat", {"c" + std::to_string(i), "c" + std::to_string(i)}, {"c" + std::to_string(i + 1)},
              {intAttribute("axis", 0)});
  refused(100, "(Concat): what is made up to it takes more than the 100 MB");
}

TEST_F(Bombs, ManyConstantsThatDiffer) {
  constant("size", integers("", {1 << 20}));
  file.node("ConstantOfShape", {"size"}, {"c0"});
  constant("one", floats("", {}, {1}));
  for (int i = 0; i < 100; ++i)
    file.node("Add", {"c" + std::to_string(i), "one"}, {"c" + std::to_string(i + 1)});
  refused(100, "(Add): what is ");
}

/// The same table for each layer is held once.
TEST_F(Bombs, ManyConstantsThatAreEqual) {
  constant("size", integers("", {1 << 20}));
  for (int i = 0; i < 40; ++i)
    file.node("ConstantOfShape", {"size"}, {"c" + std::to_string(i)});
  const Ended ended = compile("--import-mb 100");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_LE(double(ended.peakBytes), 200 * kMega);
}

TEST_F(Bombs, AProductOfConstants) {
  constant("size", integers("", {2048, 2048}));
  file.node("ConstantOfShape", {"size"}, {"c"});
  file.node("MatMul", {"c", "c"}, {"cc"});
  refused(0, "node 'cc' (MatMul): what is computed up to it takes more than the 2147 million operations");
}

TEST_F(Bombs, FunctionsThatCallTwoOthersEach) {
  constexpr int kDepth = 30;
  for (int i = 0; i < kDepth; ++i) {
    const std::string next = "F" + std::to_string(i + 1);
    if (i + 1 < kDepth)
      function("F" + std::to_string(i), {node(next, {"a"}, "c", "f"), node(next, {"c"}, "b", "f")});
    else
      function("F" + std::to_string(i), {node("Neg", {"a"}, "b")});
  }
  file.node("F0", {"product"}, {"y"}).set_domain("f");
  refused(100, "what is made up to it takes more than the 100 MB");
}

/// A constant of 400 kB in a function that is called a thousand times is held once; copying its body counts as work.
TEST_F(Bombs, AConstantInAFunction) {
  most = 1000000;
  onnx::NodeProto large = node("Constant", {}, "c");
  *large.add_attribute() = tensorAttribute("value", floats("", {100000}, std::vector<float>(100000, 1.5f)));
  function("F", {large, node("Identity", {"a"}, "b")});
  for (int i = 0; i < 1000; ++i)
    file.node("F", {"product"}, {"y" + std::to_string(i)}).set_domain("f");
  const Ended ended = compile("");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_LE(double(ended.peakBytes), 150 * kMega);
  file.proto.mutable_graph()->mutable_node()->RemoveLast(); // the loss
  refused(100, "what is computed up to it takes more than the 200 million operations");
}

/// The name of a node within a function begins with those of the calls.
TEST_F(Bombs, LongNames) {
  most = 1000000;
  std::vector<onnx::NodeProto> nodes;
  for (int i = 0; i < 1000; ++i)
    nodes.push_back(node("Neg", {"a"}, "b" + std::to_string(i)));
  nodes.push_back(node("Neg", {"a"}, "b"));
  function("F", nodes);
  onnx::NodeProto &call = file.node("F", {"product"}, {"y"});
  call.set_domain("f");
  call.set_name(std::string(500000, 'x'));
  refused(100, "what is made up to it takes more than the 100 MB");
}

} // namespace
} // namespace autotp::test

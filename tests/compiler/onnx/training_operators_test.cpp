// Operators that onnxruntime writes into training graphs: gradients against differences of the forward operator, and
// the others against numbers computed by hand.
#include "compiler/onnx/import_table.h"
#include "tests/compiler/onnx/model_file.h"

#include <cmath>
#include <set>

namespace autotp {
namespace {

using namespace test;
using AttributeList = std::vector<onnx::AttributeProto>;

constexpr const char *kMicrosoft = "com.microsoft";

/// A tensor of doubles, or of integers, which nothing differentiates.
struct Operand {
  std::vector<int64_t> shape;
  std::vector<double> values;
  bool isInteger = false;

  onnx::TensorProto proto(const std::string &name) const {
    if (isInteger) return integers(name, shape, std::vector<int64_t>(values.begin(), values.end()));
    onnx::TensorProto tensor;
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::DOUBLE);
    tensor.mutable_dims()->Assign(shape.begin(), shape.end());
    tensor.mutable_double_data()->Assign(values.begin(), values.end());
    return tensor;
  }
};

/// Numbers that no kink or tie of an operator lies near.
Operand numbers(std::vector<int64_t> shape, int seed) {
  Operand operand{shape, {}};
  int64_t n = 1;
  for (int64_t d : shape)
    n *= d;
  for (int64_t i = 0; i < n; ++i)
    operand.values.push_back(std::sin(double(i * 7 + seed * 13) + 0.4) + 0.05);
  return operand;
}
Operand ids(std::vector<int64_t> shape, std::vector<double> values) { return {shape, values, true}; }

/// `forward` of operands x0, x1, .. gives y0, y1, ..; `gradient` of those and dy, what y0's gradient is, gives those of
/// the operands `of`.
struct GradientCase {
  const char *forward, *forwardDomain;
  std::vector<Operand> operands;
  AttributeList attributes;
  int results;
  const char *gradient;
  std::vector<std::string> gradientOperands;
  AttributeList gradientAttributes;
  std::vector<size_t> of;
};

class Differences {
public:
  explicit Differences(const GradientCase &c) : case_(c), operands_(c.operands) {}

  void expectGradient() {
    const Array y = run("y0");
    dy_ = numbers({y.type.shape.begin(), y.type.shape.end()}, 5);
    for (size_t j = 0; j < case_.of.size(); ++j) {
      const Array gradient = run("g" + std::to_string(j));
      std::vector<double> &x = operands_[case_.of[j]].values;
      ASSERT_EQ(gradient.data.size(), x.size());
      EXPECT_EQ(std::vector<int64_t>(gradient.type.shape.begin(), gradient.type.shape.end()),
                operands_[case_.of[j]].shape);
      for (size_t i = 0; i < x.size(); ++i) {
        constexpr double kStep = 1e-5;
        const double before = x[i];
        x[i] = before + kStep;
        const double above = weighed();
        x[i] = before - kStep;
        const double below = weighed();
        x[i] = before;
        EXPECT_NEAR(gradient.data[i], (above - below) / (2 * kStep), 1e-7) << "operand " << case_.of[j] << ", " << i;
      }
    }
  }

private:
  double weighed() {
    const Array y = run("y0");
    double sum = 0;
    for (size_t i = 0; i < y.data.size(); ++i)
      sum += y.data[i] * dy_.values[i];
    return sum;
  }

  Array run(const std::string &output) {
    ModelFile file;
    std::vector<std::string> names, results, gradients;
    for (size_t k = 0; k < operands_.size(); ++k) {
      names.push_back("x" + std::to_string(k));
      file.initializer(operands_[k].proto(names.back()));
    }
    for (int r = 0; r < case_.results; ++r)
      results.push_back("y" + std::to_string(r));
    file.node(case_.forward, names, results, case_.attributes).set_domain(case_.forwardDomain);
    if (output != "y0") {
      file.initializer(dy_.proto("dy"));
      file.initializer(ids({int64_t(operands_[0].shape.size())},
                           std::vector<double>(operands_[0].shape.begin(), operands_[0].shape.end()))
                           .proto("shape"));
      for (size_t j = 0; j < case_.of.size(); ++j)
        gradients.push_back("g" + std::to_string(j));
      file.node(case_.gradient, case_.gradientOperands, gradients, case_.gradientAttributes).set_domain(kMicrosoft);
    }
    file.output(output);
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
    return (*values)[model->graph.outputs[0].value];
  }

  const GradientCase &case_;
  std::vector<Operand> operands_;
  Operand dy_;
};

std::vector<GradientCase> cases() {
  const Operand x = numbers({2, 3, 4}, 1), bias = numbers({4}, 2), scale = numbers({4}, 3);
  const AttributeList axis = {intAttribute("axis", 1)}, ignores = {intAttribute("ignore_index", 2)},
                      alpha = {floatAttribute("alpha", 1.5f)}, one = {floatAttribute("alpha", 1)},
                      epsilon = {floatAttribute("epsilon", 0.01f)};
  AttributeList summed = ignores;
  summed.push_back(textAttribute("reduction", "sum"));
  const Operand starts = ids({2}, {1, -3}), ends = ids({2}, {2, 1000}), axes = ids({2}, {1, 2});
  return {
      {"Relu", "", {x}, {}, 1, "ReluGrad", {"dy", "y0"}, {}, {0}},
      {"Sigmoid", "", {x}, {}, 1, "SigmoidGrad", {"dy", "y0"}, {}, {0}},
      {"Tanh", "", {x}, {}, 1, "TanhGrad", {"dy", "y0"}, {}, {0}},
      {"Gelu", kMicrosoft, {x}, {}, 1, "GeluGrad", {"dy", "x0"}, {}, {0}},
      {"FastGelu", kMicrosoft, {x}, {}, 1, "FastGeluGrad", {"dy", "x0"}, {}, {0}},
      {"BiasGelu", kMicrosoft, {x, bias}, {}, 1, "BiasGeluGrad_dX", {"dy", "x0", "x1"}, {}, {0}},
      {"FastGelu", kMicrosoft, {x, bias}, {}, 1, "BiasFastGeluGrad_dX", {"dy", "x0", "x1"}, {}, {0}},
      {"QuickGelu", kMicrosoft, {x}, {}, 1, "QuickGeluGrad", {"dy", "x0"}, {}, {0}},
      {"QuickGelu", kMicrosoft, {x}, alpha, 1, "QuickGeluGrad", {"dy", "x0"}, alpha, {0}},
      {"QuickGelu", kMicrosoft, {x}, one, 1, "QuickGeluGrad", {"dy", "x0"}, one, {0}},
      {"Softmax", "", {x}, axis, 1, "SoftmaxGrad_13", {"dy", "y0"}, axis, {0}},
      {"LogSoftmax", "", {x}, axis, 1, "LogSoftmaxGrad_13", {"dy", "y0"}, axis, {0}},
      {"LayerNormalization",
       "",
       {x, scale, bias},
       epsilon,
       3,
       "LayerNormalizationGrad",
       {"dy", "x0", "x1", "y1", "y2"},
       epsilon,
       {0, 1, 2}},
      {"SimplifiedLayerNormalization",
       "",
       {x, scale},
       epsilon,
       2,
       "SimplifiedLayerNormalizationGrad",
       {"dy", "x0", "x1", "y1"},
       epsilon,
       {0, 1}},
      {"Slice", "", {x, starts, ends, axes}, {}, 1, "SliceGrad", {"dy", "shape", "x1", "x2", "x3"}, {}, {0}},
      {"Gather", "", {x, ids({2, 2}, {2, 0, 2, 1})}, axis, 1, "GatherGrad", {"shape", "x1", "dy"}, axis, {0}},
      {"SoftmaxCrossEntropyLoss",
       "",
       {numbers({3, 4}, 1), ids({3}, {1, 2, 3})},
       ignores,
       2,
       "SoftmaxCrossEntropyLossGrad",
       {"dy", "y1", "x1"},
       ignores,
       {0}},
      {"SoftmaxCrossEntropyLoss",
       "",
       {numbers({2, 3, 4}, 1), ids({2, 4}, {0, 1, 2, 0, 1, 1, 2, 0})},
       summed,
       2,
       "SoftmaxCrossEntropyLossGrad",
       {"dy", "y1", "x1"},
       summed,
       {0}},
  };
}

/// One result of one node.
std::vector<double> valueOf(const std::string &op, const std::vector<Operand> &operands, int result, int results,
                            const AttributeList &attributes, std::vector<int64_t> shape) {
  ModelFile file;
  std::vector<std::string> names, outputs;
  for (const Operand &operand : operands) {
    names.push_back("x" + std::to_string(names.size()));
    file.initializer(operand.proto(names.back()));
  }
  for (int r = 0; r < results; ++r)
    outputs.push_back("y" + std::to_string(r));
  file.node(op, names, outputs, attributes).set_domain(kMicrosoft);
  file.output(outputs[size_t(result)]);
  ImportedModel model = llvm::cantFail(file.import());
  const Array y = llvm::cantFail(evaluateGraph(model.graph, Sources()))[model.graph.outputs[0].value];
  EXPECT_EQ(std::vector<int64_t>(y.type.shape.begin(), y.type.shape.end()), shape) << op;
  return y.data;
}

TEST(TrainingOperators, GradientsAreThoseOfTheForward) {
  std::set<std::string> tested = {"ConcatTraining", "FusedMatMul"};
  for (const GradientCase &c : cases()) {
    SCOPED_TRACE(c.gradient);
    Differences(c).expectGradient();
    tested.insert({c.forward, c.gradient});
  }
  for (const ImportDef &row : trainingImports())
    EXPECT_TRUE(tested.count(row.name)) << row.name;
}

TEST(TrainingOperators, Values) {
  using Numbers = std::vector<double>;
  const Operand m{{2, 3}, {1, 2, 3, 4, 5, 6}}, n{{2, 3}, {1, 0, 0, 0, 1, 1}};
  EXPECT_EQ(valueOf("FusedMatMul", {m, n}, 0, 1, {intAttribute("transB", 1), floatAttribute("alpha", 2)}, {2, 2}),
            (Numbers{2, 10, 8, 22}));
  EXPECT_EQ(valueOf("FusedMatMul", {m, n}, 0, 1, {intAttribute("transA", 1)}, {3, 3}),
            (Numbers{1, 4, 4, 2, 5, 5, 3, 6, 6}));
  const Operand narrow{{2, 1}, {7, 8}};
  const AttributeList axis = {intAttribute("axis", 1)};
  EXPECT_EQ(valueOf("ConcatTraining", {m, narrow}, 0, 2, axis, {2, 4}), (Numbers{1, 2, 3, 7, 4, 5, 6, 8}));
  EXPECT_EQ(valueOf("ConcatTraining", {m, narrow}, 1, 2, axis, {2}), (Numbers{3, 1}));
  EXPECT_EQ(valueOf("SplitTraining", {m, ids({2}, {1, 2})}, 1, 2, axis, {2, 2}), (Numbers{2, 3, 5, 6}));
}

TEST(TrainingOperators, WhatIsNotSupportedIsNamed) {
  struct Refused {
    const char *op;
    std::vector<Operand> operands;
    AttributeList attributes;
    const char *what;
  };
  const Operand x = numbers({2, 3, 4}, 1), one = ids({1}, {1}), shape = ids({3}, {2, 3, 4});
  for (const Refused &c : std::vector<Refused>{
           {"FusedMatMul", {x, x}, {intAttribute("transBatchA", 1)}, "it transposes a dimension of its batch"},
           {"FusedMatMul", {one, one}, {}, "an operand of it is no matrix"},
           {"SliceGrad", {x, shape, one, one, one, ids({1}, {2})}, {}, "a slice with steps is not supported"},
           {"SliceGrad", {x, shape, one, one, ids({1}, {7})}, {}, "it has no dimension 7"},
           {"SliceGrad", {x, ids({3}, {2, 3, -4}), one, one, ids({1}, {2})}, {}, "its slice does not fit its shape"},
           {"SliceGrad", {x, ids({3}, {2, 9, 4}), ids({1}, {0}), one, ids({1}, {0})}, {}, "it is not of its shape"},
           {"SliceGrad", {x, ids({2}, {2, 3}), one, one, one}, {}, "its starts, ends and axes do not fit"},
           {"GatherGrad", {shape, one, x}, {}, "its operands do not fit"},
           {"GatherGrad", {ids({1}, {-1}), one, x}, {}, "its operands do not fit"},
           {"LayerNormalizationGrad",
            {x, x, numbers({4}, 1), numbers({5}, 1), numbers({5}, 1)},
            {},
            "it cannot give f64[5] the shape"},
           {"ReluGrad", {x, one}, {}, "its operands differ in type"},
           {"SoftmaxGrad_13", {one, x}, {}, "its operands differ in type"},
           {"LogSoftmaxGrad_13", {one, x}, {}, "its operands differ in type"},
           {"SoftmaxGrad_13", {x, x}, {intAttribute("axis", 9)}, "it has no dimension 9"},
           {"SoftmaxCrossEntropyLossGrad",
            {x, x, ids({2, 4}, {0, 1, 2, 0, 1, 1, 2, 0})},
            {textAttribute("reduction", "none")},
            "a loss of each row, or with weights, is not supported"}}) {
    ModelFile file;
    std::vector<std::string> names;
    for (const Operand &operand : c.operands) {
      names.push_back("x" + std::to_string(names.size()));
      file.initializer(operand.proto(names.back()));
    }
    file.node(c.op, names, {"y"}, c.attributes).set_domain(kMicrosoft);
    file.output("y");
    const std::string text = refusal(file.import());
    EXPECT_NE(text.find(std::string("node 'y' (") + c.op + "): " + c.what), std::string::npos) << text;
  }
}

} // namespace
} // namespace autotp

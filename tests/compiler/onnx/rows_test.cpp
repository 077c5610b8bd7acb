/// \file Each ONNX operator by value: models of one node on initializers, against numbers computed by hand.
#include "compiler/onnx/import_table.h"
#include "tests/compiler/onnx/model_file.h"

#include <cmath>
#include <limits>
#include <set>

namespace autotp {
namespace {

using namespace test;
using Tensors = std::vector<onnx::TensorProto>;
using AttributeList = std::vector<onnx::AttributeProto>;

struct RowCase {
  const char *op;
  Tensors operands;
  std::vector<int64_t> shape; ///< of the last result
  std::vector<double> values;
  AttributeList attributes = {};
  int results = 1;
};

onnx::TensorProto f(std::vector<float> values) { return floats("", {int64_t(values.size())}, values); }
onnx::TensorProto f(std::vector<int64_t> shape, std::vector<float> values) { return floats("", shape, values); }
onnx::TensorProto i(std::vector<int64_t> values) { return integers("", values); }
onnx::TensorProto i(std::vector<int64_t> shape, std::vector<int64_t> values) { return integers("", shape, values); }
onnx::TensorProto b(std::vector<int32_t> values) { return bools("", {int64_t(values.size())}, values); }

const float kInf = INFINITY, kNan = NAN;

std::vector<RowCase> elementwiseCases() {
  return {
      {"Abs", {f({-2, 3})}, {2}, {2, 3}},
      {"Add", {f({2, 1}, {1, 2}), f({3, 4})}, {2, 2}, {4, 5, 5, 6}},
      {"And", {b({0, 1, 1}), b({1, 0, 1})}, {3}, {0, 0, 1}},
      {"Cast", {f({-1.75, 2.5})}, {2}, {-1, 2}, {intAttribute("to", onnx::TensorProto::INT64)}},
      {"Cast", {i({0, 7})}, {2}, {0, 1}, {intAttribute("to", onnx::TensorProto::BOOL)}},
      {"Cos", {f({0, 3.14159265f})}, {2}, {1, -1}},
      {"Div", {f({1, 9}), f({2, 3})}, {2}, {0.5, 3}},
      {"Div", {i({7, -7}), i({2})}, {2}, {3, -3}},
      {"Dropout", {f({1, 2})}, {2}, {1, 2}},
      {"Dropout", {f({1, 2}), f({}, {0.5}), b({0})}, {2}, {1, 2}},
      {"Equal", {i({1, 2}), i({1, 3})}, {2}, {1, 0}},
      {"Erf", {f({0, 1})}, {2}, {0, 0.8427007929}},
      {"Exp", {f({0, 1})}, {2}, {1, 2.718281828}},
      {"Floor", {f({-1.5, 1.5})}, {2}, {-2, 1}},
      {"Gelu", {f({0, 1})}, {2}, {0, 0.8413447461}},
      {"Gelu", {f({0, 1})}, {2}, {0, 0.8411919906}, {textAttribute("approximate", "tanh")}},
      {"Greater", {f({1, 2}), f({1})}, {2}, {0, 1}},
      {"GreaterOrEqual", {f({0, 1, 2}), f({1})}, {3}, {0, 1, 1}},
      {"Identity", {f({5})}, {1}, {5}},
      {"IsNaN", {f({kNan, kInf})}, {2}, {1, 0}},
      {"Less", {f({0, 1, 2}), f({1})}, {3}, {1, 0, 0}},
      {"LessOrEqual", {f({0, 1, 2}), f({1})}, {3}, {1, 1, 0}},
      {"Log", {f({1, 2.718281828f})}, {2}, {0, 1}},
      {"Max", {f({1, 5}), f({4, 2}), f({3})}, {2}, {4, 5}},
      {"Max", {f({1, 5})}, {2}, {1, 5}},
      {"Min", {f({1, 5}), f({4, 2}), f({3})}, {2}, {1, 2}},
      {"Mul", {f({2, 3}), f({4})}, {2}, {8, 12}},
      {"Neg", {f({2, -3})}, {2}, {-2, 3}},
      {"Not", {b({0, 1})}, {2}, {1, 0}},
      {"Or", {b({0, 0, 1}), b({0, 1, 1})}, {3}, {0, 1, 1}},
      {"Pow", {f({2, 3}), f({3})}, {2}, {8, 27}},
      {"Pow", {f({2, 3}), i({2})}, {2}, {4, 9}},
      {"Reciprocal", {f({2, -4})}, {2}, {0.5, -0.25}},
      {"Relu", {f({-2, 3})}, {2}, {0, 3}},
      {"Sigmoid", {f({0, 1})}, {2}, {0.5, 0.7310585786}},
      {"Sign", {f({-2, 0, 3})}, {3}, {-1, 0, 1}},
      {"Sin", {f({0, 1.57079633f})}, {2}, {0, 1}},
      {"Sqrt", {f({4, 9})}, {2}, {2, 3}},
      {"Sub", {f({4, 9}), f({1, 2})}, {2}, {3, 7}},
      {"Sum", {f({1}), f({2}), f({3})}, {1}, {6}},
      {"Swish", {f({0, 1})}, {2}, {0, 0.7310585786}},
      {"Swish", {f({0, 1})}, {2}, {0, 0.8807970780}, {floatAttribute("alpha", 2)}},
      {"Tanh", {f({0, 1})}, {2}, {0, 0.7615941560}},
      {"Where", {b({1, 0}), f({1, 2}), f({3, 4})}, {2}, {1, 4}},
  };
}

std::vector<RowCase> productCases() {
  const onnx::TensorProto m = f({2, 3}, {1, 2, 3, 4, 5, 6}), n = f({3, 2}, {1, 0, 0, 1, 1, 1});
  return {
      {"MatMul", {m, n}, {2, 2}, {4, 5, 10, 11}},
      {"Gemm", {m, n, f({10, 20})}, {2, 2}, {14, 25, 20, 31}},
      {"Gemm",
       {n, m, f({10, 20})},
       {2, 2},
       {12, 25, 12.5, 25.5},
       {intAttribute("transA", 1), intAttribute("transB", 1), floatAttribute("alpha", 0.5), floatAttribute("beta", 1)}},
      {"Gemm", {m, n, f({10, 20})}, {2, 2}, {9, 15, 15, 21}, {floatAttribute("beta", 0.5)}},
      {"ReduceMax", {m}, {}, {6}, {intAttribute("keepdims", 0)}},
      {"ReduceMax", {m, i({1})}, {2, 1}, {3, 6}},
      {"ReduceMean", {m, i({-1})}, {2, 1}, {2, 5}},
      {"ReduceMean", {i({2, 2}, {1, 2, 4, 7}), i({0})}, {1, 2}, {2, 4}},
      {"ReduceSum", {m, i({0})}, {3}, {5, 7, 9}, {intAttribute("keepdims", 0)}},
      {"ReduceSum", {m}, {2, 3}, {1, 2, 3, 4, 5, 6}, {intAttribute("noop_with_empty_axes", 1)}},
      {"ReduceSum", {m}, {2}, {6, 15}, {intsAttribute("axes", {1}), intAttribute("keepdims", 0)}},
  };
}

std::vector<RowCase> shapeCases() {
  const onnx::TensorProto m = f({2, 3}, {1, 2, 3, 4, 5, 6});
  return {
      {"Concat", {m, f({2, 1}, {7, 8})}, {2, 4}, {1, 2, 3, 7, 4, 5, 6, 8}, {intAttribute("axis", 1)}},
      {"Concat", {m}, {2, 3}, {1, 2, 3, 4, 5, 6}, {intAttribute("axis", 0)}},
      {"DepthToSpace",
       {f({1, 4, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8})},
       {1, 1, 2, 4},
       {1, 3, 2, 4, 5, 7, 6, 8},
       {intAttribute("blocksize", 2)}},
      {"SpaceToDepth",
       {f({1, 1, 2, 4}, {1, 3, 2, 4, 5, 7, 6, 8})},
       {1, 4, 1, 2},
       {1, 2, 3, 4, 5, 6, 7, 8},
       {intAttribute("blocksize", 2)}},
      {"Expand", {f({2, 1}, {1, 2}), i({1, 3})}, {2, 3}, {1, 1, 1, 2, 2, 2}},
      {"Expand", {m, i({1})}, {2, 3}, {1, 2, 3, 4, 5, 6}},
      {"Flatten", {f({1, 2, 2}, {1, 2, 3, 4})}, {1, 4}, {1, 2, 3, 4}},
      {"Flatten", {f({1, 2, 2}, {1, 2, 3, 4})}, {2, 2}, {1, 2, 3, 4}, {intAttribute("axis", -1)}},
      {"Gather", {m, i({1})}, {1, 3}, {4, 5, 6}},
      {"Gather", {m, i({}, {-1})}, {3}, {4, 5, 6}},
      {"Gather", {m, i({2, 0})}, {2, 2}, {3, 1, 6, 4}, {intAttribute("axis", 1)}},
      {"Gather", {m, i({2, 1}, {-1, 0})}, {2, 2, 1}, {3, 1, 6, 4}, {intAttribute("axis", -1)}},
      {"Pad", {m, i({0, 1, 0, -1})}, {2, 3}, {0, 1, 2, 0, 4, 5}},
      {"Pad", {f({1, 2}), i({0, 0})}, {2}, {1, 2}},
      {"Pad", {m, i({1, 0}), f({}, {9}), i({0})}, {3, 3}, {9, 9, 9, 1, 2, 3, 4, 5, 6}},
      {"Pad", {f({1, 2, 3}), i({2, 1})}, {6}, {3, 2, 1, 2, 3, 2}, {textAttribute("mode", "reflect")}},
      {"Pad", {f({1, 2, 3}), i({1, 2})}, {6}, {1, 1, 2, 3, 3, 3}, {textAttribute("mode", "edge")}},
      {"Pad", {f({1, 2, 3}), i({4, -1})}, {6}, {3, 1, 2, 3, 1, 2}, {textAttribute("mode", "wrap")}},
      {"Reshape", {m, i({0, -1, 1})}, {2, 3, 1}, {1, 2, 3, 4, 5, 6}},
      {"Slice", {m, i({-1}), i({9})}, {1, 3}, {4, 5, 6}},
      {"Slice", {m, i({0}), i({3}), i({1}), i({2})}, {2, 2}, {1, 3, 4, 6}},
      {"Slice", {m, i({2}), i({1}), i({1})}, {2, 0}, {}},
      {"Split", {m, i({1, 2})}, {2, 2}, {2, 3, 5, 6}, {intAttribute("axis", 1)}, 2},
      {"Split", {m}, {2, 1}, {3, 6}, {intAttribute("axis", 1), intAttribute("num_outputs", 2)}, 2},
      {"Squeeze", {f({1, 2, 1}, {1, 2}), i({-1})}, {1, 2}, {1, 2}},
      {"Squeeze", {f({1, 2, 1}, {1, 2})}, {2}, {1, 2}},
      {"Transpose", {m}, {3, 2}, {1, 4, 2, 5, 3, 6}},
      {"Transpose", {f({1, 2, 2}, {1, 2, 3, 4})}, {2, 1, 2}, {1, 2, 3, 4}, {intsAttribute("perm", {1, 0, 2})}},
      {"Unsqueeze", {m, i({0, -1})}, {1, 2, 3, 1}, {1, 2, 3, 4, 5, 6}},
  };
}

std::vector<RowCase> constantCases() {
  return {
      {"Constant", {}, {2}, {1, 2}, {tensorAttribute("value", integers("", {1, 2}))}},
      {"Constant", {}, {}, {-3}, {intAttribute("value_int", -3)}},
      {"Constant", {}, {}, {0.5}, {floatAttribute("value_float", 0.5)}},
      {"Constant", {}, {2}, {3, 4}, {intsAttribute("value_ints", {3, 4})}},
      {"Constant", {}, {2}, {1.5, 2.5}, {floatsAttribute("value_floats", {1.5, 2.5})}},
      {"ConstantOfShape", {i({2, 1})}, {2, 1}, {0, 0}},
      {"ConstantOfShape", {i({2})}, {2}, {7, 7}, {tensorAttribute("value", integers("", {7}))}},
      {"Range", {i({}, {5}), i({}, {0}), i({}, {-2})}, {3}, {5, 3, 1}},
      {"Range", {i({}, {5}), i({}, {5}), i({}, {1})}, {0}, {}},
      {"Shape", {f({2, 3}, {1, 2, 3, 4, 5, 6})}, {2}, {2, 3}},
      {"Shape", {f({2, 3}, {1, 2, 3, 4, 5, 6})}, {1}, {3}, {intAttribute("start", -1)}},
  };
}

std::vector<RowCase> networkCases() {
  const double third = std::sqrt(1.5);                                          // 1 / deviation of {1, 2, 3}
  const double two = std::log(std::exp(1.0) + std::exp(2.0)), mean = two - 1.5; // rows {1, 2}, labels 0 and 1
  return {
      {"LayerNormalization",
       {f({1, 3}, {1, 2, 3}), f({1, 1, 2}), f({0, 1, 0})},
       {1, 3},
       {-third, 1, 2 * third},
       {floatAttribute("epsilon", 0)}},
      {"LayerNormalization",
       {f({1, 3}, {1, 2, 3}), f({1, 1, 2})},
       {1, 3},
       {-third, 0, 2 * third},
       {floatAttribute("epsilon", 0)}},
      {"RMSNormalization",
       {f({1, 2}, {3, 4}), f({1, 2})},
       {1, 2},
       {3 / std::sqrt(12.5), 8 / std::sqrt(12.5)},
       {floatAttribute("epsilon", 0)}},
      {"Softmax", {f({2, 1}, {0, 0})}, {2, 1}, {1, 1}},
      {"Softmax", {f({2, 1}, {0, std::log(3.f)})}, {2, 1}, {0.25, 0.75}, {intAttribute("axis", 0)}},
      {"SoftmaxCrossEntropyLoss", {f({2, 2}, {1, 2, 1, 2}), i({0, 1})}, {}, {mean}},
      {"SoftmaxCrossEntropyLoss",
       {f({2, 2}, {1, 2, 1, 2}), i({-100, 1})},
       {},
       {two - 2},
       {intAttribute("ignore_index", -100)}},
      {"SoftmaxCrossEntropyLoss", {f({1, 2, 2}, {1, 1, 2, 2}), i({1, 2}, {0, 1})}, {}, {mean}},
      {"SoftmaxCrossEntropyLoss", {f({2, 2}, {1, 2, 1, 2}), f({2, 2}, {1, 0, 0.25, 0.75})}, {}, {0.9382616875}},
      {"SoftmaxCrossEntropyLoss",
       {f({1, 2, 2}, {1, 1, 2, 2}), f({1, 2, 2}, {1, 0.25, 0, 0.75}), f({2, 1})},
       {1, 2},
       {2.6265233750, 0.8915766875},
       {textAttribute("reduction", "none")}},
  };
}

/// Initializers of rank 1 and more stay symbolic; scalars and integers are folded on the way.
void expectValue(const RowCase &row) {
  ModelFile file;
  std::vector<std::string> names, results;
  for (onnx::TensorProto operand : row.operands) {
    operand.set_name("operand" + std::to_string(names.size()));
    names.push_back(operand.name());
    file.initializer(operand);
  }
  for (int r = 0; r < row.results; ++r)
    results.push_back("result" + std::to_string(r));
  file.node(row.op, names, results, row.attributes);
  file.output(results.back());
  auto model = file.import();
  ASSERT_TRUE(bool(model)) << describe(model.takeError());
  auto values = evaluateGraph(model->graph, Sources());
  ASSERT_TRUE(bool(values)) << describe(values.takeError());
  const Array &found = (*values)[model->graph.outputs[0].value];
  EXPECT_EQ(std::vector<int64_t>(found.type.shape.begin(), found.type.shape.end()), row.shape);
  ASSERT_EQ(found.data.size(), row.values.size());
  for (size_t k = 0; k < row.values.size(); ++k)
    EXPECT_NEAR(found.data[k], row.values[k], 1e-6 * std::max(1.0, std::fabs(row.values[k]))) << "element " << k;
}

/// Below opset 23 the exporter writes the boolean mask of PyTorch's attention with the lowest float.
TEST(ImportRows, KeysHiddenByPyTorchsAttention) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  for (bool isOfAttention : {false, true}) {
    ModelFile file;
    file.input("sees", {2}, onnx::TensorProto::BOOL);
    file.initializer(floats("zero", {}, {0}));
    file.initializer(floats("lowest", {}, {kLowest}));
    auto *entry = file.node("Where", {"sees", "zero", "lowest"}, {"y"}).add_metadata_props();
    entry->set_key("pkg.torch.onnx.fx_node");
    entry->set_value(std::string("%y : call_function[target=torch.ops.") +
                     (isOfAttention ? "aten.scaled_dot_product_attention.default" : "aten.where.self") + "](..)");
    file.output("y");
    auto model = file.import();
    ASSERT_TRUE(bool(model)) << describe(model.takeError());
    Array sees(Type{DType::Bool, {2}});
    sees.data = {1, 0};
    Sources sources;
    sources[model->graph.sources(ValueKind::Input)[0]] = sees;
    const auto values = llvm::cantFail(evaluateGraph(model->graph, sources));
    EXPECT_EQ(values[model->graph.output("y")].data,
              (std::vector<double>{0, isOfAttention ? -HUGE_VAL : double(kLowest)}));
  }
}

TEST(ImportRows, EveryOperatorByValue) {
  std::set<std::string> tested, rows;
  for (const auto &family : {elementwiseCases(), productCases(), shapeCases(), constantCases(), networkCases()})
    for (const RowCase &row : family) {
      SCOPED_TRACE(row.op);
      expectValue(row);
      tested.insert(row.op);
    }
  for (auto family : {elementwiseImports(), productImports(), shapeImports(), constantImports(), networkImports()})
    for (const ImportDef &row : family)
      rows.insert(row.name);
  rows.insert("Gather"); // of the lookups; the other rows have the standard's own examples: standard_test.cpp
  for (const char *other : {"NegativeLogLikelihoodLoss", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
                            "ReduceMin", "ReduceSumSquare"})
    rows.erase(other);
  for (const char *other : {"SimplifiedLayerNormalization", "SoftmaxCrossEntropyLossGrad", "SplitTraining"})
    rows.erase(other); // training_operators_test.cpp
  EXPECT_EQ(tested, rows);
}

} // namespace
} // namespace autotp

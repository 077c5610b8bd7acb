/// \file Gradients at kinks, ties, steps, zeros, masked rows and negative indices are PyTorch's: kinks.txt, as
/// record_kinks.py wrote it, against each operator's import and gradient.
#include "compiler/ir/gradient_outputs.h"
#include "compiler/ops/op_def.h"
#include "passes/train/differentiate.h"
#include "tests/compiler/onnx/model_file.h"

#include <cmath>
#include <fstream>
#include <sstream>

namespace autotp {
namespace {

using namespace test;

struct Numbers {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

struct Kink {
  std::string op, exporter;
  int opset = 0, line = 0;
  std::vector<onnx::AttributeProto> attributes;
  std::vector<std::pair<std::string, Numbers>> operands; ///< by kind: param, const, ints
  Numbers dy, y;
  std::vector<Numbers> gradients; ///< of the params
};

/// "[2,2] 1 2 3 4"
Numbers readNumbers(std::istringstream &line) {
  Numbers numbers;
  std::string shape, word;
  line >> shape;
  std::istringstream dims(shape.substr(1, shape.size() - 2));
  while (std::getline(dims, word, ','))
    numbers.shape.push_back(std::stoll(word));
  while (line >> word)
    numbers.values.push_back(std::stod(word));
  return numbers;
}

onnx::AttributeProto readAttribute(std::istringstream &line) {
  std::string name, value;
  line >> name >> value;
  const bool isReal = value.find('.') != std::string::npos;
  return isReal ? floatAttribute(name, std::stof(value)) : intAttribute(name, std::stoll(value));
}

std::vector<Kink> readKinks() {
  std::ifstream file(std::string(AUTOTP_SOURCE_DIR) + "/tests/passes/train/kinks.txt");
  std::vector<Kink> kinks;
  std::string text, word;
  for (int number = 1; std::getline(file, text); ++number) {
    std::istringstream line(text);
    if (!(line >> word)) continue;
    if (word == "case") {
      kinks.emplace_back().line = number;
      line >> kinks.back().op >> kinks.back().opset >> kinks.back().exporter;
    } else if (word == "attribute") {
      kinks.back().attributes.push_back(readAttribute(line));
    } else if (word == "gradient") {
      kinks.back().gradients.push_back(readNumbers(line));
    } else if (word == "dy" || word == "y") {
      (word == "y" ? kinks.back().y : kinks.back().dy) = readNumbers(line);
    } else {
      kinks.back().operands.emplace_back(word, readNumbers(line));
    }
  }
  return kinks;
}

std::string nameOf(size_t operand) { return "x" + std::to_string(operand); }

llvm::Expected<ImportedModel> import(const Kink &kink) {
  ModelFile file;
  file.proto.mutable_opset_import(0)->set_version(kink.opset);
  std::vector<std::string> operands;
  for (size_t k = 0; k < kink.operands.size(); ++k) {
    const auto &[kind, numbers] = kink.operands[k];
    operands.push_back(nameOf(k));
    file.initializer(kind == "ints" ? integers(nameOf(k), numbers.shape, {numbers.values.begin(), numbers.values.end()})
                                    : floats(nameOf(k), numbers.shape, {numbers.values.begin(), numbers.values.end()}));
  }
  onnx::NodeProto &node = file.node(kink.op, operands, {"y"}, kink.attributes);
  if (!kink.exporter.empty()) {
    auto *entry = node.add_metadata_props();
    entry->set_key("pkg.torch.onnx.fx_node");
    entry->set_value("%y : call_function[target=torch.ops." + kink.exporter + "](args = (%x,), kwargs = {})");
  }
  file.output("y");
  return file.import();
}

void expectNumbers(const Array &found, const Numbers &wanted, const std::string &what) {
  ASSERT_EQ(found.data.size(), wanted.values.size()) << what;
  for (size_t i = 0; i < wanted.values.size(); ++i) {
    const double a = found.data[i], b = wanted.values[i];
    const bool isSame = a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 2e-5 * (1 + std::fabs(b));
    EXPECT_TRUE(isSame) << what << " element " << i << ": " << a << ", of PyTorch " << b;
  }
}

/// The loss is the sum of y times dy.
void check(const Kink &kink) {
  const std::string what = kink.op + " of line " + std::to_string(kink.line);
  llvm::Expected<ImportedModel> model = import(kink);
  ASSERT_TRUE(bool(model)) << what << ": " << describe(model.takeError());
  Graph &graph = model->graph;
  Sources sources;
  std::vector<std::string> names;
  for (size_t k = 0; k < kink.operands.size(); ++k)
    if (kink.operands[k].first == "param") names.push_back(nameOf(k));
  for (ValueId id : graph.sources(ValueKind::Parameter)) {
    const bool isTrained = llvm::is_contained(names, graph.value(id).name);
    if (isTrained) graph.parameters.push_back({id, {}});
    if (isTrained) sources[id] = toArray(*graph.value(id).contents);
    if (!isTrained) graph.setKind(id, ValueKind::Constant);
  }
  const ValueId y = graph.output("y");
  Builder b(graph);
  Array dy(graph.type(y));
  dy.data = kink.dy.values;
  llvm::SmallVector<int64_t, 6> axes;
  for (size_t d = 0; d < graph.type(y).shape.size(); ++d)
    axes.push_back(int64_t(d));
  ValueId loss = b.make("reduce_sum", {b.make("mul", {y, graph.addConstant("dy", toTensor(dy))})},
                        {{"axes", axes}, {"keepdims", int64_t(0)}});
  graph.outputs = {{"loss", loss}, {"y", y}};
  llvm::Expected<std::vector<Array>> forward = evaluateGraph(graph, sources);
  ASSERT_TRUE(bool(forward)) << what << ": " << describe(forward.takeError());
  expectNumbers((*forward)[y], kink.y, what + ", y,");
  auto objective = differentiate(graph, false);
  ASSERT_TRUE(bool(objective)) << what << ": " << describe(objective.takeError());
  llvm::Expected<std::vector<Array>> backward = evaluateGraph(graph, sources);
  ASSERT_TRUE(bool(backward)) << what << ": " << describe(backward.takeError());
  ASSERT_EQ(names.size(), kink.gradients.size()) << what;
  for (size_t k = 0; k < names.size(); ++k)
    expectNumbers((*backward)[graph.output(gradientName(names[k]))], kink.gradients[k],
                  what + ", gradient of " + names[k] + ",");
}

TEST(Kinks, GradientsArePyTorchs) {
  const std::vector<Kink> kinks = readKinks();
  EXPECT_GT(kinks.size(), 70u);
  for (const Kink &kink : kinks)
    check(kink);
}

} // namespace
} // namespace autotp

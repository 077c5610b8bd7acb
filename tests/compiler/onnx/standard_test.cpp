/// \file The ONNX standard's own examples of operators (standard/cases.bin, written by standard/generate.py): each is
/// imported to the standard's values, or refused as standard/refused.txt says (UPDATE_GOLDEN=1 rewrites it).
#include "compiler/onnx/import_table.h"
#include "compiler/ops/evaluate.h"
#include "tests/compiler/onnx/model_file.h"
#include "tests/golden/expect_golden.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <map>

namespace autotp {
namespace {

using namespace test;

const std::string kFolder = std::string(AUTOTP_SOURCE_DIR) + "/tests/compiler/onnx/standard/";

std::vector<onnx::ModelProto> readCases() {
  std::vector<onnx::ModelProto> cases;
  auto file = llvm::MemoryBuffer::getFile(kFolder + "cases.bin", /*IsText=*/false, /*RequiresNullTerminator=*/false);
  EXPECT_TRUE(bool(file));
  llvm::StringRef bytes = (*file)->getBuffer();
  while (bytes.size() > 4) {
    uint32_t size = llvm::support::endian::read32le(bytes.data());
    EXPECT_TRUE(cases.emplace_back().ParseFromArray(bytes.data() + 4, int(size)));
    bytes = bytes.drop_front(4 + size);
  }
  return cases;
}

std::map<std::string, Array> initializersOf(const onnx::ModelProto &model) {
  std::map<std::string, Array> all;
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    all[tensor.name()] = toArray(llvm::cantFail(readTensor(tensor, "")));
  return all;
}

/// "" where all values of the outputs are right.
std::string difference(const ImportedModel &model, const std::map<std::string, Array> &known) {
  Sources sources;
  for (ValueKind kind : {ValueKind::Input, ValueKind::Parameter})
    for (ValueId id : model.graph.sources(kind))
      if (auto at = known.find(model.graph.value(id).name); at != known.end()) sources[id] = at->second;
  auto values = evaluateGraph(model.graph, sources);
  if (!values) return describe(values.takeError());
  for (const Output &output : model.graph.outputs) {
    const Array &found = (*values)[output.value], &wanted = known.at("expected:" + output.name);
    if (!(found.type == wanted.type)) return output.name + " is " + found.type.text() + ", not " + wanted.type.text();
    for (size_t i = 0; i < wanted.data.size(); ++i) {
      double a = found.data[i], b = wanted.data[i];
      bool isSame = a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 2e-5 * (1 + std::fabs(b));
      if (!isSame) return llvm::formatv("{0}, element {1}: {2}, not {3}", output.name, i, a, b).str();
    }
  }
  return "";
}

struct Outcome {
  std::string refusal, difference;
};

/// `fed`: float inputs are fed; else they are initializers, which may be parameters.
Outcome runCase(onnx::ModelProto model, bool fed) {
  std::map<std::string, Array> known = initializersOf(model);
  onnx::GraphProto &graph = *model.mutable_graph();
  auto initializers = graph.initializer();
  auto inputs = graph.input();
  graph.clear_initializer();
  graph.clear_input();
  auto isFed = [&](const std::string &name) { return fed && isFloat(known.at(name).type.dtype); };
  for (const onnx::TensorProto &tensor : initializers)
    if (!llvm::StringRef(tensor.name()).startswith("expected:") && !isFed(tensor.name()))
      *graph.add_initializer() = tensor;
  for (const auto &input : inputs)
    if (isFed(input.name())) *graph.add_input() = input;
  TemporaryFolder folder;
  llvm::Expected<ImportedModel> imported = importModel(folder.write("model.onnx", model.SerializeAsString()), {});
  if (!imported) return {describe(imported.takeError()), ""};
  return {"", difference(*imported, known)};
}

TEST(Standard, ExamplesHaveTheStandardsValues) {
  std::string refused;
  int right = 0;
  for (const onnx::ModelProto &model : readCases())
    for (bool fed : {false, true}) {
      const std::string &name = model.graph().name();
      Outcome outcome = runCase(model, fed);
      EXPECT_EQ(outcome.difference, "") << name << (fed ? " fed" : "");
      if (outcome.refusal.empty()) {
        ++right;
        continue;
      }
      llvm::StringRef line = llvm::StringRef(outcome.refusal).split('\n').first;
      EXPECT_TRUE(line.startswith("error: ")) << name;
      refused += name + (fed ? " fed: " : ": ") + line.split(": ").second.split(": ").second.str() + "\n";
    }
  EXPECT_GT(right, 1000);
  expectGolden("tests/compiler/onnx/standard/refused.txt", refused);
}

} // namespace
} // namespace autotp

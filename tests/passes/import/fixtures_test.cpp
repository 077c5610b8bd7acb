// Each fixture's parameters are those that its expected.json lists.
#include "compiler/onnx/import.h"
#include "compiler/onnx/import_options.h"
#include "passes/import/canonicalise.h"
#include "passes/import/classify_parameters.h"
#include "passes/import/retie_weights.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <set>

namespace autotp {
namespace {

class Fixture : public testing::TestWithParam<const char *> {};

TEST_P(Fixture, ParametersAreThoseThatTrain) {
  std::string folder = std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures/" + GetParam();
  ImportOptions options;
  options.shapes["seq"] = 16;
  options.microBatch = 1;
  auto model = importModel(folder + "/model.onnx", options);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  llvm::StringMap<std::string> moduleNames;
  const std::vector<Tie> ties = findTies(model->graph, model->exporter, moduleNames);
  const ParameterOverrides none;
  std::vector<ClassifiedInitializer> classified;
  std::vector<std::string> joined, equal;
  if (llvm::Error error =
          classifyParameters(model->graph, model->initializers,
                             {none, moduleNames, exporterVerdicts(model->graph, model->exporter)}, classified))
    FAIL() << llvm::toString(std::move(error));
  llvm::cantFail(retieWeights(model->graph, {ties, /*byContents=*/true}, joined, equal));
  std::set<std::string> found, wanted;
  for (const ParameterInfo &parameter : model->graph.parameters) {
    found.insert(model->graph.value(parameter.value).name);
    for (const auto &alias : parameter.aliases)
      found.insert(alias.name);
  }
  auto text = llvm::MemoryBuffer::getFile(folder + "/expected.json");
  ASSERT_TRUE(bool(text));
  llvm::json::Value expected = llvm::cantFail(llvm::json::parse((*text)->getBuffer()));
  for (const auto &entry : *expected.getAsObject()->getObject("initializers"))
    wanted.insert(entry.first.str());
  EXPECT_EQ(found, wanted);
}

INSTANTIATE_TEST_SUITE_P(All, Fixture, testing::Values("llama", "llama-ts", "gpt2", "nanogpt", "mlp"));

} // namespace
} // namespace autotp

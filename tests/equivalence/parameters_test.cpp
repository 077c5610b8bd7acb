// Models of whose parameters an export says little: merged, dropped and written twice, beside masks and buffers.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "tests/equivalence/fixture.h"

#include "passes/pipeline.h"
#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

void expectPyTorch(const std::string &fixture, const RunAs &runAs) {
  const Expected expected = readExpected(fixture);
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{4, 1, 1, 1}}) {
    llvm::Expected<Trained> run = train(fixture, expected, mesh, runAs);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    EXPECT_EQ(run->parameterElements, expected.parameterElements) << mesh.text();
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

TEST(Parameters, OfDynamo) { expectPyTorch("parameters-dynamo", {}); }
TEST(Parameters, OfTorchScript) { expectPyTorch("parameters-torchscript", {}); }

/// Biases of zeros of convolutions of each channel, in groups, and transposed ones are brought back.
TEST(Parameters, OfConvolutionsWhoseBiasesAreLeftOut) { expectPyTorch("tests/fixtures/exports/grouped", {}); }

/// What compiling an export says, where it is refused.
std::string refusalOf(const char *model, bool decaysAll = false, bool assumesRoles = false) {
  CompileOptions options;
  options.model = std::string(AUTOTP_SOURCE_DIR) + "/tests/fixtures/exports/" + model;
  options.import.microBatch = 4;
  options.step.optimizer.decaysAll = decaysAll;
  options.parameters.assumesRoles = assumesRoles;
  llvm::Expected<CompiledModel> compiled = compile(options);
  return compiled ? "" : describe(compiled.takeError());
}

TEST(Exports, WhatLostItsParametersIsRefused) {
  EXPECT_NE(refusalOf("heads.onnx").find("lost these parameters:\n    second.weight\n    second.bias\n"),
            std::string::npos);
  EXPECT_NE(refusalOf("normed.onnx").find("body.weight f32[8,8]: computed from norm.weight, norm.bias"),
            std::string::npos);
  EXPECT_NE(refusalOf("scaled.onnx").find("scale f32[5]: it scales what is computed"), std::string::npos);
  EXPECT_NE(refusalOf("shifted.onnx", /*decaysAll=*/true).find("(weight) f32[8]: weight and a number"),
            std::string::npos);
  EXPECT_EQ(refusalOf("shifted.onnx"), "");
  for (const char *model : {"heads.onnx", "normed.onnx", "scaled.onnx", "shifted.onnx"})
    EXPECT_EQ(refusalOf(model, /*decaysAll=*/true, /*assumesRoles=*/true), "") << model;
}

/// Of a teacher whose vectors were merged with its student's.
TEST(Parameters, FrozenByTheNamesOfTheModel) { expectPyTorch("frozen", {.freeze = "^teacher"}); }

} // namespace
} // namespace autotp::test

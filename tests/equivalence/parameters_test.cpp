// Models of whose parameters an export says little: merged, dropped and written twice, beside masks and buffers.
#include "tests/equivalence/fixture.h"

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

/// Of a teacher whose vectors were merged with its student's.
TEST(Parameters, FrozenByTheNamesOfTheModel) { expectPyTorch("frozen", {.freeze = "^teacher"}); }

} // namespace
} // namespace autotp::test

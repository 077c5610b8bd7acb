// Models of whose parameters an export says little: merged, dropped and written twice, beside masks and buffers.
#include "tests/equivalence/fixture.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

class Parameters : public testing::TestWithParam<const char *> {};

TEST_P(Parameters, EqualPyTorch) {
  const Expected expected = readExpected(GetParam());
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{4, 1, 1, 1}}) {
    llvm::Expected<Trained> run = train(GetParam(), expected, mesh);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    EXPECT_EQ(run->parameterElements, expected.parameterElements) << mesh.text();
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

INSTANTIATE_TEST_SUITE_P(Equivalence, Parameters, testing::Values("parameters-dynamo", "parameters-torchscript"));

} // namespace
} // namespace autotp::test

// Plans of the fixtures are proven on every mesh, and what a fault is said to be names its place.
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "tests/equivalence/run_fixture.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

class Certify : public testing::TestWithParam<const char *> {};

TEST_P(Certify, EveryMeshIsProven) {
  for (int tp : {1, 2, 3, 4, 8})
    for (int dp : {1, 2, 3})
      for (int zero : {0, 1, 2})
        for (bool recognise : {true, false}) {
          CompileOptions options = fixtureOptions(GetParam());
          options.recognise = recognise;
          options.step.tp = tp;
          options.step.dp = dp;
          options.step.zero = zero;
          options.step.gradAccum = 1 + (tp + dp + zero) % 2;
          options.step.bucketBytes = 100 << 10;
          llvm::Expected<CompiledModel> compiled = compile(options);
          ASSERT_TRUE(bool(compiled)) << "tp " << tp << " dp " << dp << " zero " << zero << ": "
                                      << describe(compiled.takeError());
          ASSERT_TRUE(compiled->certificate);
          EXPECT_EQ(compiled->certificate->programs, tp);
          EXPECT_GT(compiled->certificate->steps, 0);
        }
}
INSTANTIATE_TEST_SUITE_P(Fixtures, Certify, testing::Values("mlp", "llama", "llama-ts", "gpt2", "nanogpt"));

TEST(CertifyErrors, NameTheStepAndWhatItFound) {
  CompileOptions options = fixtureOptions("mlp");
  options.step.tp = 2;
  CompiledModel compiled = llvm::cantFail(compile(options));
  std::vector<plan::Program> programs = compiled.emitted;
  for (plan::Program &program : programs) { // nobody reduces the pending sum
    auto *steps = program.mutable_sections(0)->mutable_steps();
    for (int i = 0; i < steps->size(); ++i)
      if (steps->Get(i).has_collective()) {
        for (int j = i; j < steps->size(); ++j)
          steps->Mutable(j)->clear_waits();
        steps->DeleteSubrange(i, 1);
        break;
      }
  }
  llvm::Expected<Certificate> certificate =
      certify(compiled.graph, {&programs[0], &programs[1]}, certifyOptions(options.step));
  ASSERT_FALSE(bool(certificate));
  EXPECT_NE(describe(certificate.takeError()), "");
}

} // namespace
} // namespace autotp::test

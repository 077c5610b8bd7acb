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
      for (int zero : {0, 1, 2, 3})
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
INSTANTIATE_TEST_SUITE_P(Fixtures, Certify,
                         testing::Values("mlp", "llama", "llama-ts", "llama-op23", "llama-hf23", "gpt2", "nanogpt",
                                         "bert-mlm", "qwen3"));

TEST(CertifySequenceParallel, EveryMeshIsProven) {
  for (const char *fixture : {"llama", "gpt2", "bert-mlm", "qwen3"})
    for (int tp : {2, 3, 4, 8})
      for (int dp : {1, 2})
        for (int zero : {0, 1, 2, 3})
          for (int gradAccum : {1, 2}) {
            CompileOptions options = fixtureOptions(fixture);
            options.sequenceParallel = true;
            options.step.tp = tp;
            options.step.dp = dp;
            options.step.zero = zero;
            options.step.gradAccum = gradAccum;
            llvm::Expected<CompiledModel> compiled = compile(options);
            ASSERT_TRUE(bool(compiled)) << fixture << " tp " << tp << " dp " << dp << " zero " << zero << ": "
                                        << describe(compiled.takeError());
            EXPECT_TRUE(compiled->certificate);
          }
}

TEST(CertifyErrors, NameTheStepAndWhatIsThere) {
  CompileOptions options = fixtureOptions("mlp");
  options.step.tp = 2;
  CompiledModel compiled = llvm::cantFail(compile(options));
  std::vector<plan::Program> programs = compiled.emitted;
  for (plan::Program &program : programs) // the sum over tp becomes a maximum
    for (plan::Step &step : *program.mutable_sections(0)->mutable_steps())
      if (step.has_collective() && step.collective().kind() == plan::ALL_REDUCE_SUM) {
        step.mutable_collective()->set_kind(plan::ALL_REDUCE_MAX);
        break;
      }
  llvm::Expected<Certificate> certificate =
      certify(compiled.graph, {&programs[0], &programs[1]}, certifyOptions(options.step, compiled.updates));
  ASSERT_FALSE(bool(certificate));
  const std::string said = describe(certificate.takeError());
  for (const char *part : {"tp coordinate 0, micro_step, step 'all_reduce", "(from ", "a pending sum"})
    EXPECT_NE(said.find(part), std::string::npos) << part << " in " << said;
}

} // namespace
} // namespace autotp::test

// Plans of the fixtures are proven on every mesh, and what a fault is said to be names its place.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "passes/plan_source.h"
#include "passes/report/summary.h"
#include "runtime/base/error.h"
#include "tests/fixtures/run_fixture.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

bool hasSequence(llvm::StringRef fixture) { return !fixture.contains("mlp"); }

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
          EXPECT_GT(compiled->certificate->instructions, 0);
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

/// Casts, master weights and, of f16, the loss scale.
TEST(CertifySmallFloats, EveryMeshIsProven) {
  for (const char *fixture : {"mlp", "llama", "gpt2", "bert-mlm", "qwen3", "training-info-mlp"})
    for (DType dtype : {DType::BF16, DType::F16})
      for (int tp : {1, 2, 3})
        for (int dp : {1, 2})
          for (int zero : {0, 1, 2, 3})
            for (int variant : {0, 1}) {
              CompileOptions options = fixtureOptions(fixture);
              options.dtype = dtype;
              options.step.tp = tp;
              options.step.dp = dp;
              options.step.zero = zero;
              options.step.bucketBytes = 100 << 10;
              options.step.gradAccum = 1 + (tp + zero + variant) % 2;
              options.step.optimizer.clipGradNorm = variant;
              options.sequenceParallel = variant == 1 && hasSequence(fixture);
              options.recompute = variant == 1 ? Recompute::Layer : Recompute::None;
              options.memory.device = variant == 1 ? DeviceKind::Cuda : DeviceKind::Cpu;
              llvm::Expected<CompiledModel> compiled = compile(options);
              ASSERT_TRUE(bool(compiled))
                  << fixture << " " << nameOf(dtype).str() << " tp " << tp << " dp " << dp << " zero " << zero
                  << " variant " << variant << ": " << describe(compiled.takeError());
              ASSERT_TRUE(compiled->certificate);
              EXPECT_EQ(compiled->certificate->programs, tp);
            }
}

/// What autotp-plan verify does: the graph and all that was asked for are made again from the manifest.
TEST(CertifyPlans, AreProvenFromTheirManifest) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
    CompileOptions options = fixtureOptions("llama");
    options.dtype = dtype;
    options.step.tp = options.step.dp = 2;
    options.step.lossScale = {
        .initial = 1024, .window = 500, .hysteresis = 2, .minimum = 2, .refills = true, .isLate = true};
    CompiledModel compiled = llvm::cantFail(compile(options));
    Manifest manifest = autotp::describe(compiled, options);
    for (int64_t rank = 0; rank < 4; ++rank)
      manifest.ranks.push_back({rank % 2, rank % 2, rank / 2});
    llvm::Expected<Certificate> certificate = certifyPlan(manifest, compiled.ranks.emitted, "");
    ASSERT_TRUE(bool(certificate)) << nameOf(dtype).str() << ": " << describe(certificate.takeError());
    EXPECT_EQ(certificate->instructions, compiled.certificate->instructions);
    if (dtype != DType::F16) continue;
    constexpr const char *kMoves = "moves the loss scale in another way", *kBegins = "begins with something else";
    for (auto [key, another, refusal] : {std::tuple("loss_scale_window", llvm::json::Value(501), kMoves),
                                         {"min_loss_scale", 4.0, kMoves},
                                         {"loss_scale_refills", false, kMoves},
                                         {"loss_scale_hysteresis", 3, kBegins},
                                         {"loss_scale_is_late", false, kBegins}}) {
      Manifest changed = manifest;
      changed.source[key] = another;
      certificate = certifyPlan(changed, compiled.ranks.emitted, "");
      ASSERT_FALSE(bool(certificate)) << key;
      EXPECT_NE(describe(certificate.takeError()).find(refusal), std::string::npos) << key;
    }
  }
}

TEST(CertifyErrors, NameTheStepAndWhatIsThere) {
  CompileOptions options = fixtureOptions("mlp");
  options.step.tp = 2;
  CompiledModel compiled = llvm::cantFail(compile(options));
  std::vector<plan::Program> programs = compiled.ranks.emitted;
  for (plan::Program &program : programs) // the sum over tp becomes a maximum
    for (plan::Instruction &step : *program.mutable_sections(0)->mutable_instructions())
      if (step.has_collective() && step.collective().kind() == plan::ALL_REDUCE_SUM) {
        step.mutable_collective()->set_kind(plan::ALL_REDUCE_MAX);
        break;
      }
  llvm::Expected<Certificate> certificate =
      certify(compiled.graph, {&programs[0], &programs[1]}, certifyOptions(options.step, compiled));
  ASSERT_FALSE(bool(certificate));
  const std::string said = describe(certificate.takeError());
  for (const char *part : {"tp rank 0, micro_step, instruction 'all_reduce", "(from ", "a Partial sum"})
    EXPECT_NE(said.find(part), std::string::npos) << part << " in " << said;
}

} // namespace
} // namespace autotp::test

/// \file How many epilogues a whole model has; tests/passes/text/fuse_epilogues.ir has each kind.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "tests/fixtures/run_fixture.h"

#include "gtest/gtest.h"

namespace autotp {
namespace {

/// How many products of a fixture's program have an epilogue: a bias alone, with gelu, gelu's gradient.
std::array<int, 3> epilogues(const char *fixture, int tp, bool sequenceParallel = false) {
  CompileOptions options = test::fixtureOptions(fixture);
  options.step.tp = tp;
  options.sequenceParallel = sequenceParallel;
  const CompiledModel compiled = llvm::cantFail(compile(options));
  std::array<int, 3> count{};
  constexpr KernelId kKernels[] = {KernelId::MatMulBias, KernelId::MatMulBiasGelu, KernelId::MatMulGeluGrad};
  for (const plan::Instruction &step : compiled.ranks.emitted[0].sections(0).instructions())
    for (size_t i = 0; i < count.size(); ++i)
      count[i] += step.has_kernel() && KernelId(step.kernel().kernel()) == kKernels[i];
  return count;
}

/// Two layers of four products. At tp 2 the attention's and the feed-forward's second are reduced before their bias.
TEST(FuseEpilogues, Gpt2) {
  EXPECT_EQ(epilogues("gpt2", 1), (std::array{6, 2, 2}));
  EXPECT_EQ(epilogues("gpt2", 2), (std::array{2, 2, 2}));
  EXPECT_EQ(epilogues("gpt2", 2, /*sequenceParallel=*/true), (std::array{2, 2, 2}));
}

} // namespace
} // namespace autotp
